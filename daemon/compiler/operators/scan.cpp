#include "compiler/operators/scan.h"

#include <algorithm>

#include "compiler/sql/rows.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

Scan::Scan(const Source& source) : source_(&source) {
  std::vector<std::string> wanted;
  for (const auto& col : source.columns) wanted.push_back(col.name);
  const auto names = unique_names(wanted);
  for (std::size_t i = 0; i < source.columns.size(); ++i) {
    const auto& col = source.columns[i];
    columns_.push_back({names[i], col.not_null, col.type, col.typmod});
    position_.push_back(static_cast<int>(i));
  }
}

void Scan::number(const SourceNumbers& numbers) {
  mask_ = numbers.bit(source_->relid);
}

std::vector<std::string> Scan::conditions(const std::string& alias, bool from_log) const {
  std::vector<std::string> parts;
  for (const auto& conjunct : predicates_) {
    parts.push_back(deparse_expr(map_columns(conjunct, [&](int position) {
      const auto& col = source_->columns.at(static_cast<std::size_t>(position));
      return column_ref(alias, from_log ? "c" + std::to_string(col.attnum) : col.name);
    })));
    if (conjunct.has_bool_expr()) parts.back() = "(" + parts.back() + ")";
  }
  return parts;
}

FromItem Scan::post() const {
  const std::string table = qualified(source_->schema, source_->name);
  bool plain = predicates_.empty();
  Select select;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const auto& actual = source_->columns[static_cast<std::size_t>(position_[i])].name;
    const std::string column = "t." + quote_ident(actual);
    plain = plain && actual == columns_[i].name;
    actual == columns_[i].name ? select.item(column) : select.item(column, quote_ident(columns_[i].name));
  }
  if (plain) return table;
  return select.from(table, "t").where(conditions("t", false));
}

Select Scan::of(const std::string& relation, const std::vector<std::string>& carried) const {
  Select select;
  for (std::size_t i = 0; i < columns_.size(); ++i)
    select.item("t." + quote_ident(source_->columns[static_cast<std::size_t>(position_[i])].name),
                quote_ident(columns_[i].name));
  return select.items(carried).from(relation, "t").where(conditions("t", false));
}

Delta Scan::delta(Statement& statement, bool consolidate) const {
  Select select;
  std::vector<std::string> group;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::string column = "l.c" + std::to_string(source_->columns[static_cast<std::size_t>(position_[i])].attnum);
    // Logs hold domains as their base types; records of the two cannot be compared.
    const TypeInfo& type = *columns_[i].type;
    if (type.oid != type.base_oid) column = cast_to_domain(column, type);
    select.item(column, quote_ident(columns_[i].name));
    for (auto& term : identity_terms(column, *columns_[i].type)) group.push_back(std::move(term));
    consolidate = consolidate && columns_[i].type->equatable;
  }
  // The weight is an int: sums of bigint would be computed in numeric.
  select.item(consolidate ? "sum(l.w)::int" : "l.w::int", "w")
      .from(statement.sources().changes(source_->relid), "l")
      .where(statement.sources().pending_conditions("l"))
      .where(conditions("l", true));
  if (consolidate) select.group_by(std::move(group)).having("sum(l.w) <> 0");
  if (const std::string limit = statement.limit(source_->relid); !limit.empty()) select.limit(limit);
  if (!consolidate) return {select, false};
  return {statement.with_shared(select, "d_" + source_->name, source_->name + ": rows that are pending, net"), true};
}

std::vector<int> Scan::prune(const std::set<int>& needed) {
  std::vector<int> kept;
  for (const int index : needed) kept.push_back(position_.at(static_cast<std::size_t>(index)));
  position_ = std::move(kept);
  return keep_columns(columns_, needed);
}

bool Scan::absorb_filter(const Node& predicate) {
  predicates_.push_back(
      map_columns(predicate, [this](int index) { return column(position_.at(static_cast<std::size_t>(index))); }));
  return true;
}

std::optional<Operator::Origin> Scan::source_of(int column) const {
  const int position = position_.at(static_cast<std::size_t>(column));
  return Origin{this, source_, &source_->columns[static_cast<std::size_t>(position)]};
}

std::optional<Operator::Reads> Scan::reads() const {
  std::set<int> used(position_.begin(), position_.end());
  for (const auto& conjunct : predicates_)
    for (const int position : columns_of(conjunct)) used.insert(position);
  return Reads{source_, {used.begin(), used.end()}};
}

std::vector<Key> Scan::keys() const {
  std::vector<Key> keys;
  for (const auto& attnums : source_->unique_keys) {
    Key key;
    for (const auto attnum : attnums) {
      for (std::size_t i = 0; i < position_.size(); ++i)
        if (source_->columns[static_cast<std::size_t>(position_[i])].attnum == attnum)
          key.push_back(static_cast<int>(i));
    }
    if (key.size() == attnums.size()) keys.push_back(std::move(key));
  }
  return keys;
}

bool Scan::indexed(int column) const {
  const auto& col = source_->columns[static_cast<std::size_t>(position_.at(static_cast<std::size_t>(column)))];
  return std::find(source_->indexed_columns.begin(), source_->indexed_columns.end(), col.attnum) !=
         source_->indexed_columns.end();
}

bool Scan::in_order(int column) const {
  return columns_[static_cast<std::size_t>(column)].type->equatable;  // what has no order usually has no equality
}

void Scan::advise_lookup(int column, std::vector<std::string>& advice) const {
  if (indexed(column)) return;
  const auto& col = source_->columns[static_cast<std::size_t>(position_.at(static_cast<std::size_t>(column)))];
  std::string statement =
      "CREATE INDEX ON " + qualified(source_->schema, source_->name) + " (" + quote_ident(col.name) + ");";
  if (std::find(advice.begin(), advice.end(), statement) == advice.end()) advice.push_back(std::move(statement));
}

std::string Scan::describe() const {
  std::string text = "Scan " + qualified(source_->schema, source_->name);
  if (!predicates_.empty()) text += " where " + conjunction(conditions("t", false));
  return text;
}

}  // namespace pgtrickle::compiler
