#include "compiler/operators/temporal_filter.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "compiler/error.h"
#include "compiler/parse/clock.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

namespace {

constexpr std::uint32_t kDate = 1082;
constexpr std::uint32_t kTimestamp = 1114;
constexpr std::uint32_t kTimestamptz = 1184;

/// The place of a type among the types of time, in the order in which PostgreSQL turns one into the other; 0: none.
int rank(const TypeInfo& type) {
  static const std::map<std::uint32_t, int> kRanks{{kDate, 1}, {kTimestamp, 2}, {kTimestamptz, 3}};
  const auto found = kRanks.find(type.oid);
  return found == kRanks.end() ? 0 : found->second;
}

/// The operator with its sides exchanged; empty: not a comparison that has a range.
std::string exchanged(const std::string& op) {
  static const std::map<std::string, std::string> kOperators{{"<", ">"},   {">", "<"}, {"<=", ">="},
                                                             {">=", "<="}, {"=", "="}, {"<>", "<>"}};
  const auto found = kOperators.find(op);
  return found == kOperators.end() ? std::string() : found->second;
}

bool is_ours(const std::string& schema) {
  return schema.empty() || schema == "pg_catalog";
}

bool is_constant(const Node& node) {
  bool constant = true;
  walk(node, [&](const Node& at) {
    constant = constant && !at.has_param_ref() && !at.has_column_ref() && !at.has_sub_link() && !is_clock(at);
    return constant;
  });
  return constant;
}

/// The clock, shifted by an interval, truncated, or cast.
bool is_shifted_clock(const Node& node) {
  if (is_clock(node)) return true;
  if (node.has_type_cast()) return is_shifted_clock(node.type_cast().arg());
  if (node.has_a_expr() && node.a_expr().kind() == pg_query::AEXPR_OP) {
    const auto& expr = node.a_expr();
    const auto [schema, name] = qualified_name(expr.name());
    if (!is_ours(schema) || (name != "+" && name != "-")) return false;
    if (is_shifted_clock(expr.lexpr())) return is_constant(expr.rexpr());
    return name == "+" && is_constant(expr.lexpr()) && is_shifted_clock(expr.rexpr());
  }
  if (!node.has_func_call()) return false;
  const auto& call = node.func_call();
  const auto [schema, name] = qualified_name(call.funcname());
  static const std::set<std::string> kNames{"date_trunc", "timezone", "date_bin"};
  if (!is_ours(schema) || kNames.count(name) == 0 || call.args_size() < 2) return false;
  return is_constant(call.args(0)) && is_shifted_clock(call.args(1)) &&
         (call.args_size() == 2 || is_constant(call.args(2)));
}

/// The clock plus or less intervals.
bool is_moved_clock(const Node& node) {
  if (is_clock(node)) return true;
  return node.has_a_expr() && is_shifted_clock(node) &&
         (is_moved_clock(node.a_expr().lexpr()) || is_moved_clock(node.a_expr().rexpr()));
}

[[noreturn]] void refuse(const Node& node) {
  throw Unsupported(
      "the query depends on the current time, so its result changes without any change in the data: maintained are "
      "comparisons of a date or timestamp with the current time",
      fragment(with_now(node)),
      "AUTO recomputes it on schedule. Write the comparison as <columns> > now() - <interval>, or move it into the "
      "queries that read the stream table.");
}

Node last_time() {
  static const Node kTime = column_ref("v", "f_now");
  return kTime;
}

}  // namespace

TemporalFilter::TemporalFilter(OperatorPtr input, Node predicate) : predicate_(std::move(predicate)) {
  columns_ = input->columns();
  inputs_.push_back(std::move(input));
  find_comparisons(predicate_);
}

void TemporalFilter::find_comparisons(const Node& node) {
  if (!reads_clock(node)) return;
  if (node.has_bool_expr()) {
    for (const auto& arg : node.bool_expr().args()) find_comparisons(arg);
    return;
  }
  if (node.has_boolean_test()) return find_comparisons(node.boolean_test().arg());
  if (!node.has_a_expr() || node.a_expr().kind() != pg_query::AEXPR_OP) refuse(node);
  const auto& expr = node.a_expr();
  const auto [schema, op] = qualified_name(expr.name());
  if (!is_ours(schema) || exchanged(op).empty()) refuse(node);
  // What compares no column has all rows cross at once.
  const auto is_row = [](const Node& side) { return !reads_clock(side) && !columns_of(side).empty(); };
  if (is_row(expr.lexpr()) && is_shifted_clock(expr.rexpr())) {
    comparisons_.push_back({expr.lexpr(), expr.rexpr(), op});
  } else if (is_row(expr.rexpr()) && is_shifted_clock(expr.lexpr())) {
    comparisons_.push_back({expr.rexpr(), expr.lexpr(), exchanged(op)});
  } else {
    refuse(node);
  }
}

void TemporalFilter::resolve_types(TypeOracle& oracle) {
  Operator::resolve_types(oracle);
  columns_ = inputs_[0]->columns();
  std::vector<Node> rows;
  Select times;
  for (const auto& comparison : comparisons_) {
    rows.push_back(comparison.row);
    times.item(deparse_expr(comparison.time), "c" + std::to_string(rows.size()));
  }
  const auto row_types = expression_types(rows, *inputs_[0], oracle);
  const auto time_types = oracle.column_types(times.sql());
  for (std::size_t i = 0; i < comparisons_.size(); ++i) {
    const int row = rank(row_types[i]);
    const int time = rank(time_types.at(i));
    if (row == 0 || time == 0) refuse(predicate_);
    if (time < row) comparisons_[i].time = cast(std::move(comparisons_[i].time), row_types[i].name);
    comparisons_[i].timed = row == 3 && time == 3;
    comparisons_[i].wide = row_types[i].oid == kTimestamp && time_types.at(i).oid == kTimestamptz;
  }
}

std::string TemporalFilter::passes(const Node& predicate) const {
  return "(" + render(predicate, "i", *inputs_[0]) + ")";
}

FromItem TemporalFilter::post() const {
  return Select(column_names("i.")).from(inputs_[0]->post(), "i").where(passes(predicate_));
}

std::vector<std::string> TemporalFilter::range(const Comparison& comparison) const {
  const std::string was = deparse_expr(at_time(comparison.time, last_time()));
  const std::string is = deparse_expr(comparison.time);
  const std::string row = render_operand(comparison.row, "i", *inputs_[0]);
  std::string from = "least(" + was + ", " + is + ")";
  std::string to = "greatest(" + was + ", " + is + ")";
  if (comparison.wide) {
    from += "::timestamp - interval '2 days'";
    to += "::timestamp + interval '2 days'";
  }
  // Half open, so that rows at a bound that stays are left alone: of two neighbouring bounds, ">" and "<=" tell rows
  // apart above the smaller one, ">=" and "<" below the greater one.
  const bool above = !comparison.wide && (comparison.op == ">" || comparison.op == "<=");
  const bool below = !comparison.wide && (comparison.op == "<" || comparison.op == ">=");
  return {"(" + was + ") <> (" + is + ")", row + (above ? " > " : " >= ") + from, row + (below ? " < " : " <= ") + to};
}

Select TemporalFilter::arm(std::size_t number) const {
  const std::string before = passes(at_time(predicate_, last_time())) + " IS TRUE";
  const std::string after = passes(predicate_) + " IS TRUE";
  Select rows(column_names("i."));
  rows.item("CASE WHEN " + after + " THEN 1 ELSE -1 END", "w").from(inputs_[0]->post(), "i");
  rows.where(range(comparisons_[number]));
  for (std::size_t i = 0; i < number; ++i) rows.where("(" + conjunction(range(comparisons_[i])) + ") IS NOT TRUE");
  return rows.where("(" + before + ") <> (" + after + ")");
}

Query TemporalFilter::crossing() const {
  std::vector<Query> arms;
  for (std::size_t i = 0; i < comparisons_.size(); ++i) arms.emplace_back(arm(i));
  return union_all(arms);
}

/// The longest span in which `holds` is true decides.
std::string time_of_next(const std::function<std::string(const std::string& span)>& holds,
                         const std::function<std::string(const std::string& span)>& next) {
  std::string known = "CASE";
  for (const char* span : {"1 hour", "1 minute"}) known += " WHEN " + holds(span) + " THEN " + next(span);
  return known + " ELSE pgtrickle._now() END";
}

std::string TemporalFilter::next_crossing(const Comparison& comparison) const {
  const std::string is = "(" + deparse_expr(comparison.time) + ")";
  const auto time_in = [&](const std::string& span) {
    return "(" + deparse_expr(at_time(comparison.time, parse_expr("pgtrickle._now() + interval '" + span + "'"))) + ")";
  };
  int index = 0;
  const bool is_looked_up = comparison.timed && is_moved_clock(comparison.time) && is_column(comparison.row, &index) &&
                            inputs_[0]->indexed(index) && inputs_[0]->source_of(index).has_value();
  if (!is_looked_up) {
    return time_of_next([&](const std::string& span) { return time_in(span) + " = " + is; },
                        [](const std::string& span) { return "pgtrickle._now() + interval '" + span + "'"; });
  }
  const std::string row = render(comparison.row, "i", *inputs_[0]);
  const bool at_once = comparison.op != ">" && comparison.op != "<=";  // a row at f(n1) has crossed the moment after
  const auto next = [&](const std::string& span) {
    return "pgtrickle._now() + coalesce(" +
           Query(Select({"min(" + row + ")"})
                     .from(inputs_[0]->post(), "i")
                     .where({row + (at_once ? " >= " : " > ") + is, row + " < " + time_in(span)}))
               .in_parentheses() +
           " - " + is + ", interval '" + span + "')";
  };
  return time_of_next(
      [&](const std::string& span) { return time_in(span) + " - " + is + " = interval '" + span + "'"; }, next);
}

Query TemporalFilter::next_crossing() const {
  std::vector<Query> times;
  for (const auto& comparison : comparisons_) times.emplace_back(Select().item(next_crossing(comparison), "at"));
  return union_all(times);
}

Delta TemporalFilter::delta(Statement& statement, bool consolidate) const {
  const Delta below = inputs_[0]->delta(statement, consolidate);
  std::vector<Query> arms{Select(column_names("i."))
                              .item("i.w")
                              .from(below.from, "i")
                              .where(passes(at_time(predicate_, last_time())))
                              .where(statement.gate(inputs_[0]->source_mask()))};
  // Also if the input has changed, time or not: that no row crosses was asked before.
  for (std::size_t i = 0; i < comparisons_.size(); ++i) arms.emplace_back(arm(i).where(statement.gate(source_mask())));
  return {union_all(arms), false};
}

void TemporalFilter::number(const SourceNumbers& numbers) {
  Operator::number(numbers);
  time_mask_ = numbers.bit(kTime);
}

std::uint64_t TemporalFilter::source_mask() const {
  return Operator::source_mask() | time_mask_;
}

std::vector<int> TemporalFilter::prune(const std::set<int>& needed) {
  std::set<int> all = needed;
  for (const int index : columns_of(predicate_)) all.insert(index);
  auto mapping = inputs_[0]->prune(all);
  predicate_ = remap(predicate_, mapping);
  for (auto& comparison : comparisons_) comparison.row = remap(comparison.row, mapping);
  columns_ = inputs_[0]->columns();  // as in a Filter
  return mapping;
}

bool TemporalFilter::absorb_filter(const Node& predicate) {
  if (!inputs_[0]->absorb_filter(predicate)) inputs_[0] = make_filter(std::move(inputs_[0]), {predicate});
  return true;
}

OperatorPtr TemporalFilter::push_down() {
  while (OperatorPtr instead = inputs_[0]->push_down()) inputs_[0] = std::move(instead);  // who is below goes first
  const Place below = inputs_[0]->filterable(columns_of(predicate_));
  if (below.input == nullptr) return nullptr;
  OperatorPtr instead = std::move(inputs_[0]);
  inputs_.clear();
  auto moved = std::make_unique<TemporalFilter>(*this);
  const auto shift = [&](const Node& expr) {
    return map_columns(expr, [&](int index) { return column(index - below.offset); });
  };
  moved->predicate_ = shift(predicate_);
  for (auto& comparison : moved->comparisons_) comparison.row = shift(comparison.row);
  moved->columns_ = (*below.input)->columns();
  moved->inputs_.push_back(std::move(*below.input));
  *below.input = std::move(moved);
  return instead;
}

void TemporalFilter::index_advice(std::vector<std::string>& advice) const {
  Operator::index_advice(advice);
  int index = 0;
  for (const auto& comparison : comparisons_)
    if (is_column(comparison.row, &index)) inputs_[0]->advise_lookup(index, advice);
}

std::string TemporalFilter::describe() const {
  return "Temporal filter " + render(with_now(predicate_), "i", *inputs_[0]);
}

std::string TemporalFilter::cost_class() const {
  const bool by_index = std::all_of(comparisons_.begin(), comparisons_.end(), [&](const Comparison& comparison) {
    int index = 0;
    return is_column(comparison.row, &index) && inputs_[0]->can_be_looked_up(index);
  });
  return by_index ? "O(delta + rows that cross)" : "O(delta + input): no index can find the rows that cross";
}

std::vector<const TemporalFilter*> temporal_filters(const Operator& tree) {
  std::vector<const TemporalFilter*> found;
  if (const auto* filter = dynamic_cast<const TemporalFilter*>(&tree)) found.push_back(filter);
  for (const auto& input : tree.inputs())
    for (const auto* filter : temporal_filters(*input)) found.push_back(filter);
  return found;
}

OperatorPtr make_temporal_filter(OperatorPtr input, Node predicate) {
  return std::make_unique<TemporalFilter>(std::move(input), std::move(predicate));
}

}  // namespace pgtrickle::compiler
