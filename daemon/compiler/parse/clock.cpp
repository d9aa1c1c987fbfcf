#include "compiler/parse/clock.h"

#include <set>

namespace pgtrickle::compiler {

namespace {

bool is_clock_function(const pg_query::FuncCall& call, const std::set<std::string>& names) {
  const auto [schema, name] = qualified_name(call.funcname());
  return (schema.empty() || schema == "pg_catalog") && names.count(name) != 0;
}

Node clock() {
  static const Node kCall = parse_expr("pgtrickle._now()");
  return kCall;
}

/// The current time in the type that a form of it has.
Node over_clock(const pg_query::SQLValueFunction& form) {
  const std::string precision = "(" + std::to_string(form.typmod()) + ")";
  switch (form.op()) {
    case pg_query::SVFOP_CURRENT_DATE:
      return cast(clock(), "date");
    case pg_query::SVFOP_CURRENT_TIMESTAMP_N:
      return cast(clock(), "timestamp" + precision + " with time zone");
    case pg_query::SVFOP_LOCALTIMESTAMP:
      return cast(clock(), "timestamp without time zone");
    case pg_query::SVFOP_LOCALTIMESTAMP_N:
      return cast(clock(), "timestamp" + precision + " without time zone");
    default:
      return clock();
  }
}

}  // namespace

bool is_current_time(const Node& node) {
  if (node.has_func_call())
    return node.func_call().args().empty() && is_clock_function(node.func_call(), {"now", "transaction_timestamp"});
  if (!node.has_sqlvalue_function()) return false;
  switch (node.sqlvalue_function().op()) {
    case pg_query::SVFOP_CURRENT_DATE:
    case pg_query::SVFOP_CURRENT_TIMESTAMP:
    case pg_query::SVFOP_CURRENT_TIMESTAMP_N:
    case pg_query::SVFOP_LOCALTIMESTAMP:
    case pg_query::SVFOP_LOCALTIMESTAMP_N:
      return true;
    default:
      return false;
  }
}

bool is_any_time(const Node& node) {
  static const std::set<std::string> kNames{"now", "transaction_timestamp", "statement_timestamp", "clock_timestamp",
                                            "timeofday"};
  if (node.has_func_call())
    return is_clock_function(node.func_call(), kNames) ||
           (is_clock_function(node.func_call(), {"age"}) && node.func_call().args_size() == 1);
  if (!node.has_sqlvalue_function()) return false;
  switch (node.sqlvalue_function().op()) {
    case pg_query::SVFOP_CURRENT_TIME:
    case pg_query::SVFOP_CURRENT_TIME_N:
    case pg_query::SVFOP_LOCALTIME:
    case pg_query::SVFOP_LOCALTIME_N:
      return true;
    default:
      return is_current_time(node);
  }
}

std::string time_dependence(const pg_query::SelectStmt& query) {
  std::string found;
  walk(query, [&](const Node& node) {
    if (found.empty() && is_any_time(node)) found = fragment(node);
    return found.empty();
  });
  return found;
}

void name_clock(pg_query::SelectStmt& query) {
  rewrite(query, [](Node& node) {
    if (!is_current_time(node)) return false;
    node = node.has_func_call() ? clock() : over_clock(pg_query::SQLValueFunction(node.sqlvalue_function()));
    return true;
  });
}

bool is_clock(const Node& node) {
  if (!node.has_func_call()) return false;
  const auto [schema, name] = qualified_name(node.func_call().funcname());
  return schema == "pgtrickle" && name == "_now" && node.func_call().args().empty();
}

bool reads_clock(const Node& expr) {
  bool found = false;
  walk(expr, [&](const Node& node) {
    found = found || is_clock(node);
    return !found;
  });
  return found;
}

Node at_time(const Node& expr, const Node& time) {
  Node result = expr;
  rewrite(result, [&](Node& node) {
    if (!is_clock(node)) return false;
    node = time;
    return true;
  });
  return result;
}

Node with_now(const Node& expr) {
  static const Node kNow = parse_expr("now()");
  return at_time(expr, kNow);
}

}  // namespace pgtrickle::compiler
