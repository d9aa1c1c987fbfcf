#include "compiler/sql/change.h"

#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

Insert& Insert::as(std::string alias) {
  alias_ = std::move(alias);
  return *this;
}

Insert& Insert::on_conflict(const std::string& constraint, const std::vector<std::string>& set,
                            const std::vector<std::string>& where) {
  const bool is_list = !constraint.empty() && constraint.front() == '(';
  const std::string conflict = "ON CONFLICT " + (is_list ? constraint : "ON CONSTRAINT " + constraint) + " DO ";
  if (set.empty()) {
    end_.push_back({conflict + "NOTHING", {}, Separator::kComma});
    return *this;
  }
  end_.push_back({conflict + "UPDATE SET", set, Separator::kComma});
  if (!where.empty()) end_.push_back({"WHERE", where, Separator::kAnd});
  return *this;
}

Insert& Insert::returning(std::string expression) {
  end_.push_back({"RETURNING", {std::move(expression)}, Separator::kComma});
  return *this;
}

std::string Insert::sql() const {
  std::string target = table_;
  if (!alias_.empty()) target += " AS " + alias_;
  if (!columns_.empty()) target += " (" + join(columns_, ", ") + ")";
  std::vector<Clause> clauses{{"INSERT INTO", {target}, Separator::kComma}, {{}, {rows_}, Separator::kComma}};
  clauses.insert(clauses.end(), end_.begin(), end_.end());
  return lay_out(clauses);
}

Update& Update::set(const std::string& column, const std::string& value) {
  set_.push_back(column + " = " + value);
  return *this;
}

Update& Update::from(const FromItem& item, const std::string& alias) {
  from_.push_back(item.sql() + " " + alias);
  return *this;
}

Update& Update::where(std::string condition) {
  where_.push_back(std::move(condition));
  return *this;
}

std::string Update::sql() const {
  std::vector<Clause> clauses{{"UPDATE", {table_}, Separator::kComma}, {"SET", set_, Separator::kComma}};
  if (!from_.empty()) clauses.push_back({"FROM", from_, Separator::kComma});
  if (!where_.empty()) clauses.push_back({"WHERE", where_, Separator::kAnd});
  return lay_out(clauses);
}

Delete& Delete::using_rows(const FromItem& item, const std::string& alias) {
  using_.push_back(item.sql() + " " + alias);
  return *this;
}

Delete& Delete::where(std::string condition) {
  where_.push_back(std::move(condition));
  return *this;
}

Delete& Delete::where(const std::vector<std::string>& conditions) {
  where_.insert(where_.end(), conditions.begin(), conditions.end());
  return *this;
}

Delete& Delete::returning(std::string expression) {
  returning_.push_back(std::move(expression));
  return *this;
}

std::string Delete::sql() const {
  std::vector<Clause> clauses{{"DELETE FROM", {table_}, Separator::kComma}};
  if (!using_.empty()) clauses.push_back({"USING", using_, Separator::kComma});
  if (!where_.empty()) clauses.push_back({"WHERE", where_, Separator::kAnd});
  if (!returning_.empty()) clauses.push_back({"RETURNING", returning_, Separator::kComma});
  return lay_out(clauses);
}

}  // namespace pgtrickle::compiler
