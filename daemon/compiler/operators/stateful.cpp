#include "compiler/operators/stateful.h"

#include <stdexcept>

#include "compiler/sql/change.h"
#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

void StatefulOperator::set_node(int number, NodeNames names) {
  node_number_ = number;
  names_ = std::move(names);
}

Select StatefulOperator::changed_keys(Statement& /*statement*/) const {
  throw std::logic_error("not an operator whose changes are told apart by key: " + describe());
}

bool StatefulOperator::indexed(int column) const {
  const auto& type = columns_.at(static_cast<std::size_t>(column)).type.value();
  return type.hashable || (type.fixed_width && type.equatable);
}

std::string empty_table(const std::string& table, const Query& query) {
  return "CREATE TABLE " + table + " AS\n" + query.sql() + "\nWITH NO DATA";
}

std::vector<std::string> refilled(const std::string& table, const std::vector<std::string>& columns,
                                  const Query& query) {
  return {Delete(table).sql(), Insert(table, columns, query).sql()};
}

std::vector<std::string> lookup_ddl(const std::string& table, const OutputColumn& column) {
  const auto& type = column.type.value();
  const std::string name = quote_ident(column.name);
  if (type.fixed_width && type.equatable) return {"CREATE INDEX ON " + table + " (" + name + ")"};
  if (!type.hashable) return {};
  std::vector<std::string> ddl{"CREATE INDEX ON " + table + " USING hash (" + name + ")"};
  // NULL is looked up as well, alone or as an arm of an OR, and only a btree can find it.
  if (!column.not_null) ddl.push_back("CREATE INDEX ON " + table + " ((true)) WHERE " + name + " IS NULL");
  return ddl;
}

}  // namespace pgtrickle::compiler
