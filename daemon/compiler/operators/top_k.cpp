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

/// The query over the input's post-state, run only if `conditions` hold, which read no row.
Select TopK::top(const std::vector<std::string>& conditions) const {
  const Operator& input = *inputs_[0];
  auto order = render_order(order_, "i", input);
  const auto ties = tie_breakers("i", input);
  Select rows(input.column_names("i."));
  rows.from(input.post(), "i").where(conditions);
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
    rows.item("row_number() OVER (ORDER BY " + join(numbered, ", ") + ")", number)
        .item("rank() OVER (ORDER BY " + join(order, ", ") + ")", rank);
    return Select(input.column_names("i."))
        .from(rows, "i")
        .where({"i." + number + " > " + offset, "i." + rank + " <= " + offset + " + " + constant(limit_),
                constant(limit_) + " > 0"});
  }
  if (!with_ties_) order.insert(order.end(), ties.begin(), ties.end());
  rows.order_by(std::move(order));
  if (shifted()) rows.offset(constant(offset_));
  if (limited()) with_ties_ ? rows.limit_with_ties(constant(limit_)) : rows.limit(constant(limit_));
  return rows;
}

FromItem TopK::post() const {
  return top({});
}

Delta TopK::delta(Statement& /*statement*/, bool /*consolidate*/) const {
  throw std::logic_error("a limited query below another operator has to be cut out as a node first");
}

std::vector<std::string> TopK::state_ddl() const {
  std::vector<std::string> ddl{empty_table(state_table(), top({}))};
  for (const int column : lookups_)
    for (auto& index : lookup_ddl(state_table(), columns_.at(static_cast<std::size_t>(column))))
      ddl.push_back(std::move(index));
  return ddl;
}

std::vector<std::string> TopK::rebuild() const {
  return refilled(state_table(), column_names(), top({}));
}

FromItem TopK::from_state() const {
  return Select(column_names("s.")).from(state_table(), "s");
}

/// The row that a changed row must not sort after in order to matter, and true; no row while the state is not full.
Select TopK::boundary() const {
  const std::string limit = constant(limit_);
  return Select(column_names("s."))
      .item("true")
      .from(state_table(), "s")
      .where(limit + " > 0")
      .order_by(render_order(order_, "s", *this))
      .offset("greatest(" + limit + " - 1, 0)")
      .limit("1");
}

/// Whether a changed row matters, as a query of one boolean.
Select TopK::reached(Statement& statement) const {
  const Delta delta = inputs_[0]->delta(statement, true);
  if (!limited() || order_.empty()) return Select().item(exists(Select().from(delta.from, "d")), "reached");
  std::vector<std::string> wanted;
  for (const auto& col : columns_) wanted.push_back(col.name);
  wanted.emplace_back("stored");
  const std::string stored = quote_ident(unique_names(wanted).back());
  auto list = column_names();
  list.push_back(stored);
  auto order = render_order(order_, "x", *this);
  order.push_back("x." + stored);
  return Select()
      .item("NOT x." + stored, "reached")
      .from(union_all({Select(column_names("d.")).item("false").from(delta.from, "d"), boundary()}), "x", list)
      .order_by(std::move(order))
      .limit("1");
}

Changes TopK::differential(Statement& statement) const {
  const std::string answer =
      statement.with("reached", "does a changed row sort before the last stored one?", reached(statement));
  const std::string rerun = Query(Select({"x.reached"}).from(answer, "x")).in_parentheses();
  return BagState(state_table(), columns_)
      .replace(statement, Select(column_names("s.")).item("s.ctid").from(state_table(), "s").where(rerun),
               top({rerun}));
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
