#include "compiler/operators/aggregate_functions.h"

#include <set>

#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

namespace {

constexpr std::uint32_t kInt8 = 20, kInt2 = 21, kInt4 = 23, kNumeric = 1700, kBool = 16, kRecord = 2249,
                        kFirstUserType = 16384;

/// Count of scales as digits: 10^(12 * scale) per row, so that the highest non-zero group of 12 digits is the largest
/// scale present. Holds for up to 10^12 rows per group; numeric display scales end at 1000 in division.
std::string scale_digit(const std::string& arg) {
  return "('1e' || (12 * least(scale(" + arg + "), 1000)))::numeric";
}
std::string max_scale(const std::string& histogram) {
  return "((length(trunc(" + histogram + ")::text) - 1) / 12)";
}

class Planner {
 public:
  Planner(const AggregateCall& call, const Operator& input) : call_(call) {
    for (const auto& arg : call.func().args()) args_.push_back(render_operand(arg, "i", input));
    if (call.func().has_agg_filter()) filter_ = render(call.func().agg_filter(), "i", input);
    full_ = render(call.call, "i", input);
    name_ = call.name;
    hint_ = name_;
    int index = 0;
    if (call.func().args_size() > 0 && is_column(call.func().args(0), &index))
      hint_ += "_" + input.columns().at(static_cast<std::size_t>(index)).name;
  }

  AggregatePlan plan() {
    const bool plain = call_.schema.empty() && !call_.func().agg_distinct() && call_.func().agg_order().empty() &&
                       !call_.func().agg_within_group() && !call_.func().func_variadic();
    if (!plain) return replace();
    if (name_ == "count") return count();
    if (args_.size() != 1) return replace();
    if (name_ == "min" || name_ == "max") return extremum();
    const std::uint32_t type = call_.argument_types.at(0).base_oid;
    if (type == kBool && (name_ == "bool_and" || name_ == "every" || name_ == "bool_or")) return boolean();
    const bool integer = type == kInt2 || type == kInt4 || type == kInt8;
    if (!integer && type != kNumeric) return replace();
    if (name_ == "sum") return sum(type);
    if (name_ == "avg") return avg(type);
    static const std::set<std::string> kVariances{"variance", "var_samp",    "var_pop",
                                                  "stddev",   "stddev_samp", "stddev_pop"};
    if (kVariances.count(name_) != 0) return variance(type);
    return replace();
  }

 private:
  /// aggregate(expr) FILTER (WHERE the call's filter AND extra)
  [[nodiscard]] std::string over(const std::string& aggregate, const std::string& extra = {}) const {
    std::vector<std::string> conds;
    if (!filter_.empty()) conds.push_back("(" + filter_ + ")");
    if (!extra.empty()) conds.push_back(extra);
    return conds.empty() ? aggregate : aggregate + " FILTER (WHERE " + join(conds, " AND ") + ")";
  }

  Component linear(const std::string& hint, const std::string& term, const std::string& type,
                   const std::string& extra = {}, const std::string& weight = "i.w") const {
    Component c;
    c.hint = hint;
    // `term` is the contribution of one row at weight 1; empty means 1.
    c.full = "coalesce(" + over(term.empty() ? "count(*)" : "sum(" + term + ")", extra) + ", 0)::" + type;
    c.delta =
        "coalesce(" + over(term.empty() ? "sum(i.w)" : "sum(" + weight + " * " + term + ")", extra) + ", 0)::" + type;
    return c;
  }

  [[nodiscard]] Component not_null_count() const {
    // A composite value with a NULL in it is counted, but is not IS NOT NULL.
    const TypeInfo& type = call_.argument_types.at(0);
    const bool scalar = type.oid < kFirstUserType && type.oid != kRecord;
    return linear("count_" + hint_suffix(), {}, "bigint",
                  args_[0] + (scalar ? " IS NOT NULL" : " IS DISTINCT FROM NULL"));
  }
  [[nodiscard]] std::string hint_suffix() const {
    return hint_.size() > name_.size() ? hint_.substr(name_.size() + 1) : "x";
  }

  AggregatePlan count() {
    AggregatePlan plan;
    if (args_.empty() && filter_.empty()) {
      plan.value = [](const auto&, const std::string& n) { return n; };
      return plan;
    }
    plan.components.push_back(args_.empty() ? linear("count_filtered", {}, "bigint") : not_null_count());
    plan.value = [](const auto& c, const std::string&) { return c[0]; };
    return plan;
  }

  [[nodiscard]] Component running_sum(std::uint32_t type) const {
    // int8 and wider products would overflow in bigint: numeric from the start.
    const std::string arg = type == kInt8 ? args_[0] + "::numeric" : args_[0];
    const bool narrow = type == kInt2 || type == kInt4;
    Component c = linear("sum_" + hint_suffix(), arg, "numeric", {}, narrow ? "i.w::bigint" : "i.w");
    c.numeric_sum = type == kNumeric;
    return c;
  }

  /// The sum with the display scale that a fresh sum has; adds the histogram if the scale is not fixed.
  std::function<std::string(const std::vector<std::string>&)> scaled_sum(AggregatePlan& plan, std::uint32_t type,
                                                                         std::size_t sum_at, int factor) const {
    if (type != kNumeric || call_.fixed_scale) return [sum_at](const std::vector<std::string>& c) { return c[sum_at]; };
    const std::size_t at = plan.components.size();
    const std::string finite = args_[0] + " > '-Infinity' AND " + args_[0] + " < 'Infinity'";  // NaN sorts above
    plan.components.push_back(linear("scales_" + hint_suffix(), scale_digit(args_[0]), "numeric", finite));
    return [sum_at, at, factor](const std::vector<std::string>& c) {
      std::string scale = max_scale(c[at]);
      if (factor != 1) scale += " * " + std::to_string(factor);
      return "round(" + c[sum_at] + ", " + scale + ")";
    };
  }

  AggregatePlan sum(std::uint32_t type) {
    AggregatePlan plan;
    plan.components = {not_null_count(), running_sum(type)};
    const std::string result = type == kInt2 || type == kInt4 ? "::bigint" : "";
    plan.value = [result](const auto& c, const std::string&) {
      return "CASE WHEN " + c[0] + " > 0 THEN " + c[1] + result + " END";
    };
    return plan;
  }

  AggregatePlan avg(std::uint32_t type) {
    AggregatePlan plan;
    plan.components = {not_null_count(), running_sum(type)};
    auto exact = scaled_sum(plan, type, 1, 1);
    plan.value = [exact](const auto& c, const std::string&) {
      return "CASE WHEN " + c[0] + " > 0 THEN " + exact(c) + " / " + c[0] + "::numeric END";
    };
    return plan;
  }

  /// The argument, and NaN instead of values whose square may not fit into a numeric. PostgreSQL adds up in a wider
  /// type.
  [[nodiscard]] std::string squarable(const std::string& arg) const {
    return "CASE WHEN abs(" + arg + ") >= '1e1000' AND " + arg + " < 'Infinity' AND " + arg +
           " > '-Infinity' OR scale(" + arg + ") > 1000 THEN 'NaN' ELSE " + arg + " END";
  }

  AggregatePlan variance(std::uint32_t type) {
    AggregatePlan plan;
    const bool bounded = type != kNumeric || call_.fixed_scale;  // a numeric(p, s) has at most 1000 digits
    const std::string arg = bounded ? args_[0] + "::numeric" : squarable(args_[0]);
    Component squares = linear("squares_" + hint_suffix(), "(" + arg + " * " + arg + ")", "numeric");
    squares.numeric_sum = type == kNumeric;
    Component total = running_sum(type);
    if (!bounded) {
      total = linear("sum_" + hint_suffix(), "(" + arg + ")", "numeric");
      total.numeric_sum = true;
    }
    plan.components = {not_null_count(), std::move(total), std::move(squares)};
    auto sum = scaled_sum(plan, type, 1, 1);
    auto sum_squares = [&]() -> std::function<std::string(const std::vector<std::string>&)> {
      if (plan.components.size() == 3) return [](const std::vector<std::string>& c) { return c[2]; };
      return [](const std::vector<std::string>& c) { return "round(" + c[2] + ", " + max_scale(c[3]) + " * 2)"; };
    }();
    if (!bounded) {
      // With a NaN among the squares the group is computed afresh whenever it is affected: so is its variance.
      Component exact;
      exact.hint = name_ + "_" + hint_suffix();
      exact.full = "coalesce(CASE WHEN " + plan.components[2].full + " = 'NaN' THEN " + full_ + " END, 0)::numeric";
      exact.delta = "0::numeric";
      exact.told_by = plan.components[2].full;
      plan.components.push_back(std::move(exact));
    }
    const bool sample = name_ == "variance" || name_ == "stddev" || name_.find("_samp") != std::string::npos;
    const bool root = name_.rfind("stddev", 0) == 0;
    plan.value = [=](const auto& c, const std::string&) {
      const std::string n = c[0] + "::numeric";
      const std::string s = sum(c);
      const std::string numerator = "(" + n + " * " + sum_squares(c) + " - " + s + " * " + s + ")";
      const std::string divisor = sample ? "(" + n + " * (" + n + " - 1))" : "(" + n + " * " + n + ")";
      std::string value = numerator + " / " + divisor;
      // The root is taken with 20 digits to spare and rounded to the scale of the quotient, as sqrt_var() does.
      if (root)
        value = Query(Select({"round(sqrt(round(q, coalesce(scale(q), 0) + 20)), coalesce(scale(q), 0))"})
                          .from(Select().item(value, "q"), "q"))
                    .in_parentheses();
      return "CASE WHEN " + c[0] + (sample ? " > 1" : " > 0") + " THEN CASE" +
             (bounded ? "" : " WHEN " + c[2] + " = 'NaN' THEN " + c.back()) + " WHEN " + numerator +
             " <= 0 THEN 0 ELSE " + value + " END END";
    };
    return plan;
  }

  AggregatePlan boolean() {
    AggregatePlan plan;
    const bool any = name_ == "bool_or";
    plan.components = {not_null_count(), linear((any ? "true_" : "false_") + hint_suffix(), {}, "bigint",
                                                any ? args_[0] : "NOT " + args_[0])};
    plan.value = [any](const auto& c, const std::string&) {
      return "CASE WHEN " + c[0] + " > 0 THEN " + c[1] + (any ? " > 0" : " = 0") + " END";
    };
    return plan;
  }

  AggregatePlan extremum() {
    AggregatePlan plan;
    plan.maintenance = Maintenance::kExtremum;
    Component c;
    c.maintenance = Maintenance::kExtremum;
    c.hint = hint_;
    c.greatest = name_ == "max";
    c.spelled = !call_.argument_types.empty() && !call_.argument_types.front().identity;
    const std::string aggregate = name_ + "(" + args_[0] + ")";
    c.full = over(aggregate);
    c.inserted = over(aggregate, "i.w > 0");
    c.deleted = over(aggregate, "i.w < 0");
    plan.components.push_back(std::move(c));
    plan.value = [](const auto& col, const std::string&) { return col[0]; };
    return plan;
  }

  AggregatePlan replace() {
    AggregatePlan plan;
    plan.maintenance = Maintenance::kReplace;
    Component c;
    c.maintenance = Maintenance::kReplace;
    c.hint = hint_;
    c.full = full_;
    plan.components.push_back(std::move(c));
    plan.value = [](const auto& col, const std::string&) { return col[0]; };
    static const std::set<std::string> kOrdered{"string_agg", "array_agg", "json_agg",
                                                "jsonb_agg",  "xmlagg",    "json_object_agg"};
    if (call_.schema.empty() && kOrdered.count(name_) != 0 && call_.func().agg_order().empty() &&
        !call_.func().agg_distinct())
      plan.note = name_ + " without ORDER BY: the order of its elements is not defined";
    return plan;
  }

  const AggregateCall& call_;
  std::vector<std::string> args_;
  std::string filter_;
  std::string full_;
  std::string name_;
  std::string hint_;
};

}  // namespace

AggregatePlan plan_aggregate(const AggregateCall& call, const Operator& input) {
  return Planner(call, input).plan();
}

}  // namespace pgtrickle::compiler
