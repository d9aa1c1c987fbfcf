#include "compiler/operators/top_k.h"

#include <stdexcept>

#include "compiler/sql/sql_text.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

namespace {

std::string constant(const Node& expr) {
  return "(" + deparse_expr(expr) + ")::bigint";
}

}  // namespace

TopK::TopK(OperatorPtr input, std::vector<SortTerm> order, Node limit, Node offset, bool with_ties)
    : order_(std::move(order)), limit_(std::move(limit)), offset_(std::move(offset)), with_ties_(with_ties) {
  columns_ = input->columns();
  inputs_.push_back(std::move(input));
}

/// The query over the input's post-state, as the text of a SELECT of the columns.
std::string TopK::top(const std::string& where) const {
  const Operator& input = *inputs_[0];
  auto order = render_order(order_, "i", input);
  const auto ties = tie_breakers("i", input);
  const std::string names = join(input.column_names("i."), ", ");
  const std::string from =
      "\nFROM " + indent(input.post(), 2) + " i" + (where.empty() ? std::string() : "\nWHERE " + where);
  if (with_ties_ && shifted()) {
    // Which of the rows that tie at the offset are skipped is left open: numbered, it is not. The last row's ties are
    // those of its rank, and the next rank is behind offset + limit.
    auto numbered = order;
    numbered.insert(numbered.end(), ties.begin(), ties.end());
    std::vector<std::string> wanted;
    for (const auto& col : columns_) wanted.push_back(col.name);
    wanted.insert(wanted.end(), {"number", "rank"});
    const auto unique = unique_names(wanted);
    const std::string number = quote_ident(unique[columns_.size()]);
    const std::string rank = quote_ident(unique[columns_.size() + 1]);
    const std::string offset = "coalesce(" + constant(offset_) + ", 0)";
    return "SELECT " + names + "\nFROM (SELECT " + join(input.column_names("i."), ", ") +
           (columns_.empty() ? "" : ", ") + "row_number() OVER (ORDER BY " + join(numbered, ", ") + ") AS " + number +
           ", rank() OVER (ORDER BY " + join(order, ", ") + ") AS " + rank + from + ") i\nWHERE i." + number + " > " +
           offset + " AND i." + rank + " <= " + offset + " + " + constant(limit_) + " AND " + constant(limit_) + " > 0";
  }
  if (!with_ties_) order.insert(order.end(), ties.begin(), ties.end());
  std::string sql = "SELECT " + names + from;
  if (!order.empty()) sql += "\nORDER BY " + join(order, ", ");
  if (shifted()) sql += "\nOFFSET " + constant(offset_);
  if (limited())
    sql += with_ties_ ? "\nFETCH FIRST (" + constant(limit_) + ") ROWS WITH TIES" : "\nLIMIT " + constant(limit_);
  return sql;
}

FromItem TopK::post() const {
  return FromItem::query(top({}));
}

Delta TopK::delta(Statement& /*statement*/, bool /*consolidate*/) const {
  throw std::logic_error("a limited query below another operator has to be cut out as a node first");
}

std::vector<std::string> TopK::state_ddl() const {
  std::vector<std::string> ddl{"CREATE TABLE " + state_table() + " AS\n" + top({}) + "\nWITH NO DATA"};
  for (const int column : lookups_)
    for (auto& index : lookup_ddl(state_table(), columns_.at(static_cast<std::size_t>(column))))
      ddl.push_back(std::move(index));
  return ddl;
}

std::vector<std::string> TopK::rebuild() const {
  const std::string columns = columns_.empty() ? "" : " (" + join(column_names(), ", ") + ")";
  return {"DELETE FROM " + state_table(), "INSERT INTO " + state_table() + columns + "\n" + top({})};
}

FromItem TopK::from_state() const {
  return FromItem::query("SELECT " + join(column_names("s."), ", ") + " FROM " + state_table() + " s");
}

/// SELECT of the row that a changed row must not sort after in order to matter; no row while the state is not full.
std::string TopK::boundary() const {
  auto names = column_names("s.");
  names.emplace_back("true");
  const std::string limit = constant(limit_);
  return "SELECT " + join(names, ", ") + "\nFROM " + state_table() + " s\nWHERE " + limit + " > 0\nORDER BY " +
         join(render_order(order_, "s", *this), ", ") + "\nOFFSET greatest(" + limit + " - 1, 0) LIMIT 1";
}

Changes TopK::differential(Statement& statement) const {
  const Delta delta = inputs_[0]->delta(statement, true);
  std::string reached;
  if (limited() && !order_.empty()) {
    std::vector<std::string> wanted;
    for (const auto& col : columns_) wanted.push_back(col.name);
    wanted.emplace_back("stored");
    const std::string stored = quote_ident(unique_names(wanted).back());
    auto names = column_names("d.");
    names.emplace_back("false");
    auto order = render_order(order_, "x", *this);
    order.push_back("x." + stored);
    auto list = column_names();
    list.push_back(stored);
    reached = "SELECT NOT x." + stored + " AS reached\nFROM (SELECT " + join(names, ", ") + "\n  FROM " +
              indent(delta.from, 4) + " d\n  UNION ALL\n  (" + indent(boundary(), 3) + ")) x (" + join(list, ", ") +
              ")\nORDER BY " + join(order, ", ") + "\nLIMIT 1";
  } else {
    reached = "SELECT EXISTS (SELECT FROM " + indent(delta.from, 2) + " d) AS reached";
  }
  const std::string rerun = "(SELECT x.reached FROM " +
                            statement.with("reached", "does a changed row sort before the last stored one?", reached) +
                            " x)";
  auto names = column_names("s.");
  names.emplace_back("s.ctid");
  const std::string stored = "SELECT " + join(names, ", ") + "\nFROM " + state_table() + " s\nWHERE " + rerun;
  return BagState(state_table(), columns_).replace(statement, stored, top(rerun));
}

std::vector<int> TopK::prune(const std::set<int>& needed) {
  std::set<int> kept = needed;
  for (const auto& term : order_)
    for (const int index : columns_of(term.expr)) kept.insert(index);
  auto mapping = inputs_[0]->prune(kept);
  for (auto& term : order_) term.expr = remap(term.expr, mapping);
  columns_ = inputs_[0]->columns();
  return mapping;
}

void TopK::resolve_types(TypeOracle& oracle) {
  Operator::resolve_types(oracle);
  columns_ = inputs_[0]->columns();
}

std::string TopK::describe() const {
  std::string text = "TopK";
  if (!order_.empty()) text += " by " + join(render_order(order_, "i", *inputs_[0]), ", ");
  if (shifted()) text += " offset " + deparse_expr(offset_);
  if (limited()) text += " limit " + deparse_expr(limit_);
  return text + (with_ties_ ? " with ties" : "");
}

std::string TopK::cost_class() const {
  if (!limited()) return "O(n)";
  int first = 0;
  return served(first) ? "O(delta), a rerun with LIMIT when the top changes"
                       : "O(delta), O(input) when the top changes";
}

bool TopK::served(int& first) const {
  if (order_.empty() || !is_column(order_[0].expr, &first) || (with_ties_ && shifted())) return false;
  // A plain index, read in either direction.
  const std::string& suffix = order_[0].suffix;
  return (suffix.empty() || suffix == " NULLS LAST" || suffix == " DESC" || suffix == " DESC NULLS FIRST") &&
         inputs_[0]->in_order(first);
}

void TopK::index_advice(std::vector<std::string>& advice) const {
  Operator::index_advice(advice);
  int first = 0;
  if (limited() && served(first)) inputs_[0]->advise_lookup(first, advice);
}

}  // namespace pgtrickle::compiler
