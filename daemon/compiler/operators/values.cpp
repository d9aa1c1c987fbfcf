#include "compiler/operators/values.h"

#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

Values::Values(std::vector<std::vector<Node>> rows, const std::vector<std::string>& names) : rows_(std::move(rows)) {
  for (const auto& name : unique_names(names)) columns_.push_back({name, false, std::nullopt, -1});
}

FromItem Values::post() const {
  if (columns_.empty()) return Select().from("generate_series(1, " + std::to_string(rows_.size()) + ")", {});
  std::vector<std::string> rows;
  for (const auto& row : rows_) {
    std::vector<std::string> cells;
    for (const auto& cell : row) cells.push_back(deparse_expr(cell));
    rows.push_back(join(cells, ", "));
  }
  return Select(column_names("v.")).from(FromItem::values(rows), "v", column_names());
}

Delta Values::delta(Statement& /*statement*/, bool /*consolidate*/) const {
  return {Select(column_names("i.")).item("0", "w").from(post(), "i").where("false"), true};
}

std::vector<int> Values::prune(const std::set<int>& needed) {
  for (auto& row : rows_) {
    std::vector<Node> kept;
    for (const int index : needed) kept.push_back(std::move(row.at(static_cast<std::size_t>(index))));
    row = std::move(kept);
  }
  return keep_columns(columns_, needed);
}

void Values::resolve_types(TypeOracle& oracle) {
  if (columns_.empty()) return;
  const auto types = oracle.column_types(Select(column_names("v.")).from(post(), "v").sql());
  // Whatever the rows unify to is written out, since a column that is dropped later must not change the others.
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    columns_[i].type = types.at(i);
    for (auto& row : rows_) row[i] = cast(std::move(row[i]), types.at(i).name);
  }
}

std::string Values::describe() const {
  return "Values, " + std::to_string(rows_.size()) + (rows_.size() == 1 ? " row" : " rows");
}

OperatorPtr make_single_row() {
  return std::make_unique<Values>(std::vector<std::vector<Node>>(1), std::vector<std::string>{});
}

}  // namespace pgtrickle::compiler
