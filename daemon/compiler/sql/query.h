// A query and what can stand in FROM, as values that are built and printed once: nobody edits finished text, or looks
// at it to find out what it is.
//
//   Select().item("t.id").item("count(*)", "n").from(FromItem("public.orders"), "t").where("t.price > 5")
//
// Expressions and names are SQL text, quoted already (sql_text.h). Conditions are parts of an AND: an OR stands in
// parentheses. Without items a SELECT has rows without columns, which is legal, and what a count(*) needs.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/sql/layout.h"

namespace pgtrickle::compiler {

class Select;

/// A finished query.
class Query {
 public:
  Query(const Select& select);  // NOLINT(google-explicit-constructor): a SELECT is one
  /// A query that a user wrote.
  static Query text(std::string sql);

  [[nodiscard]] const std::string& sql() const { return *sql_; }
  [[nodiscard]] std::string in_parentheses() const;

 private:
  Query(std::string sql, bool ends_the_statement);
  friend Query union_all(const std::vector<Query>& arms);

  std::shared_ptr<const std::string> sql_;  // shared: queries are handed on more often than they are built
  bool ends_the_statement_ = false;         // by ORDER BY or LIMIT: an arm of a UNION only in parentheses
};

Query union_all(const std::vector<Query>& arms);
/// "EXISTS (SELECT ..)"
std::string exists(const Query& query);
/// "NOT EXISTS (SELECT ..)"
std::string not_exists(const Query& query);
/// "a AND b", or "true": conditions as one expression, fit to stand beside AND.
std::string conjunction(const std::vector<std::string>& conditions);

/// What can stand in FROM: a relation by its name, a call of a function, or a query.
class FromItem {
 public:
  FromItem() = default;
  FromItem(std::string relation);  // NOLINT(google-explicit-constructor): a name, quoted, qualified if need be
  FromItem(const char* relation) : FromItem(std::string(relation)) {}  // NOLINT(google-explicit-constructor)
  FromItem(Query query);                                               // NOLINT(google-explicit-constructor)
  FromItem(const Select& select);                                      // NOLINT(google-explicit-constructor)
  /// VALUES; each row is the text between its parentheses.
  static FromItem values(const std::vector<std::string>& rows);

  [[nodiscard]] bool is_query() const { return query_.has_value(); }
  /// The query, or all of the relation.
  [[nodiscard]] Query query() const;
  /// As it stands in FROM.
  [[nodiscard]] std::string sql() const;

 private:
  std::string relation_;
  std::optional<Query> query_;
};

class Select {
 public:
  Select() = default;
  explicit Select(std::vector<std::string> items) : items_(std::move(items)) {}

  /// A column as it stands in the list: "t.id", "t.id AS key".
  Select& item(std::string sql);
  Select& item(const std::string& sql, const std::string& name);
  Select& items(const std::vector<std::string>& items);
  Select& distinct_on(std::vector<std::string> keys);

  /// Beside what FROM has already. `columns` renames the item's columns.
  Select& from(const FromItem& item, const std::string& alias, const std::vector<std::string>& columns = {});
  /// Joined to what FROM has already: "LEFT JOIN". Without conditions ON is true.
  Select& join(const std::string& kind, const FromItem& item, const std::string& alias,
               const std::vector<std::string>& on);
  /// Joined for each row: the item may refer to what FROM has already.
  Select& cross_join_lateral(const FromItem& item, const std::string& alias = {});
  Select& cross_join(const FromItem& item, const std::string& alias, const std::vector<std::string>& columns);

  Select& where(std::string condition);
  Select& where(const std::vector<std::string>& conditions);
  Select& group_by(std::vector<std::string> terms);
  Select& having(std::string condition);
  Select& order_by(std::vector<std::string> terms);
  Select& offset(std::string rows);
  Select& limit(std::string rows);
  Select& limit_with_ties(const std::string& rows);
  /// Variables of PL/pgSQL that take the row.
  Select& into(std::vector<std::string> variables);

  [[nodiscard]] std::string sql() const;

 private:
  friend class Query;

  std::vector<std::string> items_;
  std::vector<std::string> distinct_on_;
  std::vector<Clause> from_;
  std::vector<std::string> where_;
  std::vector<std::string> group_by_;
  std::vector<std::string> having_;
  std::vector<Clause> end_;  // ORDER BY and what follows it
  std::vector<std::string> into_;
};

}  // namespace pgtrickle::compiler
