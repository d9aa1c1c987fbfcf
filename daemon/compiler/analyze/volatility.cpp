#include "compiler/analyze/volatility.h"

#include <set>

#include "compiler/error.h"
#include "compiler/parse/clock.h"

namespace pgtrickle::compiler {

namespace {

/// STABLE functions of PostgreSQL that read nothing but their arguments and settings (TimeZone, DateStyle, ...), which
/// the generated functions pin. Any other STABLE function may read tables or session state.
bool depends_on_settings_only(const std::string& name) {
  static const std::set<std::string> kNames{"to_char",
                                            "to_date",
                                            "to_timestamp",
                                            "to_number",
                                            "date_trunc",
                                            "date_part",
                                            "extract",
                                            "timezone",
                                            "date_bin",
                                            "age",
                                            "make_timestamptz",
                                            "make_timestamp",
                                            "make_date",
                                            "make_time",
                                            "make_interval",
                                            "timestamptz",
                                            "timestamp",
                                            "date",
                                            "time",
                                            "timetz",
                                            "interval",
                                            "text",
                                            "concat",
                                            "concat_ws",
                                            "format",
                                            "quote_literal",
                                            "quote_nullable",
                                            "to_json",
                                            "to_jsonb",
                                            "json_build_object",
                                            "json_build_array",
                                            "jsonb_build_object",
                                            "jsonb_build_array",
                                            "row_to_json",
                                            "array_to_json",
                                            "array_to_string",
                                            "string_to_array",
                                            "json_agg",
                                            "jsonb_agg",
                                            "json_object_agg",
                                            "jsonb_object_agg",
                                            "string_agg",
                                            "to_tsvector",
                                            "to_tsquery",
                                            "plainto_tsquery",
                                            "phraseto_tsquery",
                                            "websearch_to_tsquery",
                                            "ts_headline",
                                            "ts_rank",
                                            "generate_series",
                                            "isfinite",
                                            "overlaps",
                                            "jsonb_path_query_tz",
                                            "jsonb_path_exists_tz",
                                            "jsonb_path_match_tz",
                                            "jsonb_path_query_array_tz",
                                            "jsonb_path_query_first_tz",
                                            "date_add",
                                            "date_subtract",
                                            "json_populate_record",
                                            "jsonb_populate_record",
                                            "json_to_record",
                                            "jsonb_to_record",
                                            "timestamptz_pl_interval",
                                            "lower",
                                            "upper",
                                            "convert_from",
                                            "convert_to",
                                            "to_ascii",
                                            "min",
                                            "max",
                                            "sum",
                                            "avg",
                                            "count",
                                            "money",
                                            "numeric",
                                            "xmlforest",
                                            "xmlelement",
                                            "num_nulls",
                                            "num_nonnulls",
                                            "pg_typeof"};
  return kNames.count(name) != 0;
}

void check_function(const Node& node, const Catalog& catalog) {
  const auto [schema, name] = qualified_name(node.func_call().funcname());
  const auto found = catalog.functions.find({schema, name, node.func_call().args_size()});
  if (found == catalog.functions.end()) {
    throw Unsupported("function " + name + "() is not known to the compiler", fragment(node),
                      "Check that it exists and is visible.");
  }
  const auto& function = found->second;
  if (function.volatility == 'v')
    throw Unsupported("function " + name + "() is VOLATILE: its result cannot be maintained", fragment(node),
                      "Remove the call, or use refresh_mode FULL, which recomputes it at every refresh.");
  if (function.volatility == 's' && !(function.builtin && depends_on_settings_only(name)))
    throw Unsupported(
        "function " + name + "() is STABLE: it may read tables or session state, whose changes are not captured",
        fragment(node), "Declare it IMMUTABLE if it only depends on its arguments.");
}

}  // namespace

void refuse_time(const std::string& fragment) {
  throw Unsupported(
      "the query depends on the current time, so its result changes without any change in the data", fragment,
      "AUTO recomputes it on schedule. Comparisons in WHERE, HAVING and ON of dates or timestamps with now() are "
      "maintained, as in ts > now() - interval '1 day'. Or move the current time into the queries that read the stream "
      "table.");
}

void check_volatility(const pg_query::SelectStmt& query, const Catalog& catalog) {
  walk(query, [&](const Node& node) {
    if (is_current_time(node)) return true;  // where it may stand, the analyzer knows
    if (is_any_time(node)) refuse_time(fragment(node));
    if (node.has_func_call()) check_function(node, catalog);
    if (node.has_sqlvalue_function())
      throw Unsupported("the query depends on the session that runs it", fragment(node),
                        "A stream table is the same for every session.");
    if (node.has_a_expr()) {
      const auto [schema, name] = qualified_name(node.a_expr().name());
      if (!schema.empty()) {
        const auto op = catalog.functions.find({schema, name, -1});
        if (op == catalog.functions.end() || op->second.volatility != 'i')
          throw Unsupported("operator " + schema + "." + name + " is not IMMUTABLE", fragment(node));
      }
    }
    return true;
  });
}

}  // namespace pgtrickle::compiler
