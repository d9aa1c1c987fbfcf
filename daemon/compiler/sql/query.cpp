#include "compiler/sql/query.h"

#include <stdexcept>
#include <utility>

#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

namespace {

std::string aliased(const FromItem& item, const std::string& alias, const std::vector<std::string>& columns) {
  if (alias.empty()) return item.sql();
  return item.sql() + " " + alias + (columns.empty() ? std::string() : " (" + join(columns, ", ") + ")");
}

}  // namespace

Query::Query(std::string sql, bool ends_the_statement)
    : sql_(std::make_shared<const std::string>(std::move(sql))), ends_the_statement_(ends_the_statement) {}

Query::Query(const Select& select) : Query(select.sql(), !select.end_.empty()) {}

Query Query::text(std::string sql) {
  return {std::move(sql), false};
}

std::string Query::in_parentheses() const {
  std::string text = "(";
  append_indented(text, *sql_, 1);
  return text + ")";
}

Query union_all(const std::vector<Query>& arms) {
  if (arms.empty()) throw std::logic_error("a union of nothing");
  if (arms.size() == 1) return arms.front();
  std::vector<std::string> parts;
  for (const auto& arm : arms) parts.push_back(arm.ends_the_statement_ ? arm.in_parentheses() : arm.sql());
  return {join(parts, "\nUNION ALL\n"), false};
}

std::string exists(const Query& query) {
  return "EXISTS " + indent(query.in_parentheses(), 7);
}

std::string not_exists(const Query& query) {
  return "NOT EXISTS " + indent(query.in_parentheses(), 11);
}

std::string conjunction(const std::vector<std::string>& conditions) {
  return conditions.empty() ? std::string("true") : join(conditions, " AND ");
}

FromItem::FromItem(std::string relation) : relation_(std::move(relation)) {
  if (relation_.empty() || relation_.front() == '(') throw std::logic_error("not the name of a relation: " + relation_);
}

FromItem::FromItem(Query query) : query_(std::move(query)) {}

FromItem::FromItem(const Select& select) : query_(Query(select)) {}

FromItem FromItem::values(const std::vector<std::string>& rows) {
  Clause values{"VALUES", {}, Separator::kComma};
  for (const auto& row : rows) values.items.push_back("(" + row + ")");
  return Query::text(lay_out({values}));
}

Query FromItem::query() const {
  return query_ ? *query_ : Query(Select({"*"}).from(*this, {}));
}

std::string FromItem::sql() const {
  return query_ ? query_->in_parentheses() : relation_;
}

Select& Select::item(std::string sql) {
  items_.push_back(std::move(sql));
  return *this;
}

Select& Select::item(const std::string& sql, const std::string& name) {
  return item(sql + " AS " + name);
}

Select& Select::items(const std::vector<std::string>& items) {
  items_.insert(items_.end(), items.begin(), items.end());
  return *this;
}

Select& Select::distinct_on(std::vector<std::string> keys) {
  distinct_on_ = std::move(keys);
  return *this;
}

Select& Select::from(const FromItem& item, const std::string& alias, const std::vector<std::string>& columns) {
  if (from_.empty()) from_.push_back({"FROM", {}, Separator::kComma});
  if (from_.size() > 1) throw std::logic_error("a comma behind a JOIN");
  from_.front().items.push_back(aliased(item, alias, columns));
  return *this;
}

Select& Select::join(const std::string& kind, const FromItem& item, const std::string& alias,
                     const std::vector<std::string>& on) {
  const std::string relation = aliased(item, alias, {});
  std::string text = relation + " ON " + conjunction(on);
  if (!fits_a_line(kind + " " + text)) {
    text = relation + "\nON ";
    for (std::size_t i = 0; i < on.size(); ++i) text += (i == 0 ? "" : "\nAND ") + indent(on[i], i == 0 ? 3 : 4);
    if (on.empty()) text += "true";
  }
  from_.push_back({kind, {text}, Separator::kComma});
  return *this;
}

Select& Select::cross_join(const FromItem& item, const std::string& alias, const std::vector<std::string>& columns) {
  from_.push_back({"CROSS JOIN", {aliased(item, alias, columns)}, Separator::kComma});
  return *this;
}

Select& Select::cross_join_lateral(const FromItem& item, const std::string& alias) {
  from_.push_back({"CROSS JOIN LATERAL", {aliased(item, alias, {})}, Separator::kComma});
  return *this;
}

Select& Select::where(std::string condition) {
  where_.push_back(std::move(condition));
  return *this;
}

Select& Select::where(const std::vector<std::string>& conditions) {
  where_.insert(where_.end(), conditions.begin(), conditions.end());
  return *this;
}

Select& Select::group_by(std::vector<std::string> terms) {
  group_by_ = std::move(terms);
  return *this;
}

Select& Select::having(std::string condition) {
  having_.push_back(std::move(condition));
  return *this;
}

Select& Select::order_by(std::vector<std::string> terms) {
  if (!terms.empty()) end_.push_back({"ORDER BY", std::move(terms), Separator::kComma});
  return *this;
}

Select& Select::offset(std::string rows) {
  end_.push_back({"OFFSET", {std::move(rows)}, Separator::kComma});
  return *this;
}

Select& Select::limit(std::string rows) {
  end_.push_back({"LIMIT", {std::move(rows)}, Separator::kComma});
  return *this;
}

Select& Select::limit_with_ties(const std::string& rows) {
  end_.push_back({"FETCH FIRST", {"(" + rows + ") ROWS WITH TIES"}, Separator::kComma});
  return *this;
}

Select& Select::into(std::vector<std::string> variables) {
  into_ = std::move(variables);
  return *this;
}

std::string Select::sql() const {
  std::string head = "SELECT";
  if (!distinct_on_.empty()) head += " DISTINCT ON (" + compiler::join(distinct_on_, ", ") + ")";
  std::vector<Clause> clauses{{head, items_, Separator::kComma}};
  clauses.insert(clauses.end(), from_.begin(), from_.end());
  if (!where_.empty()) clauses.push_back({"WHERE", where_, Separator::kAnd});
  if (!group_by_.empty()) clauses.push_back({"GROUP BY", group_by_, Separator::kComma});
  if (!having_.empty()) clauses.push_back({"HAVING", having_, Separator::kAnd});
  clauses.insert(clauses.end(), end_.begin(), end_.end());
  if (!into_.empty()) clauses.push_back({"INTO", into_, Separator::kComma});
  return lay_out(clauses);
}

}  // namespace pgtrickle::compiler
