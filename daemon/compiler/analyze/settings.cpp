#include "compiler/analyze/settings.h"

#include <algorithm>
#include <string>

namespace pgtrickle::compiler {

namespace {

/// Types whose operators and text form no setting changes: bool, "char", name, integers, text, float (its text is
/// another matter, but nothing here makes text of it), bpchar, varchar, numeric, uuid, bytea.
bool is_plain(std::uint32_t oid) {
  static const std::set<std::uint32_t> kOids{16, 17, 18, 19, 20, 21, 23, 25, 700, 701, 1042, 1043, 1700, 2950};
  return kOids.count(oid) != 0;
}

/// Types that no setting changes as they are, but some operators between them: date, time, timestamp, timestamptz,
/// interval, timetz.
bool is_of_time(std::uint32_t oid) {
  static const std::set<std::uint32_t> kOids{1082, 1083, 1114, 1184, 1186, 1266};
  return kOids.count(oid) != 0;
}

/// A constant of a type whose input function no setting changes.
bool is_plain_constant(const pg_query::TypeCast& cast) {
  static const std::set<std::string> kTypes{"int2",   "int4", "int8",   "numeric", "text", "varchar",
                                            "bpchar", "bool", "float4", "float8",  "uuid"};
  const auto [schema, name] = qualified_name(cast.type_name().names());
  return cast.arg().has_a_const() && cast.type_name().array_bounds_size() == 0 &&
         (schema.empty() || schema == "pg_catalog") && kTypes.count(name) != 0;
}

class Judge {
 public:
  Judge(const Catalog& catalog, bool has_time) : catalog_(catalog), has_time_(has_time) {}

  [[nodiscard]] bool depends(const Node& node) const {
    switch (node.node_case()) {
      case Node::kFuncCall:
        return !is_immutable(node.func_call());
      case Node::kTypeCast:
        return !is_plain_constant(node.type_cast());
      case Node::kAExpr:
        return has_time_ || !is_plain_operator(node.a_expr());
      case Node::kRangeVar:
        return !is_table(node.range_var());
      case Node::kColumnRef:
      case Node::kParamRef:
      case Node::kAConst:
      case Node::kBoolExpr:
      case Node::kNullTest:
      case Node::kBooleanTest:
      case Node::kCaseExpr:
      case Node::kCaseWhen:
      case Node::kCoalesceExpr:
      case Node::kMinMaxExpr:
      case Node::kSubLink:
      case Node::kResTarget:
      case Node::kRangeSubselect:
      case Node::kJoinExpr:
      case Node::kSelectStmt:
      case Node::kSortBy:
      case Node::kList:
      case Node::kString:
      case Node::kInteger:
      case Node::kFloat:
      case Node::kTypeName:
      case Node::kWithClause:
      case Node::kCommonTableExpr:
      case Node::kWindowDef:
      case Node::kGroupingSet:
      case Node::kGroupingFunc:
      case Node::kAStar:
        return false;
      default:
        return true;
    }
  }

 private:
  [[nodiscard]] bool is_immutable(const pg_query::FuncCall& call) const {
    auto [schema, name] = qualified_name(call.funcname());
    if (schema == "pg_catalog") schema.clear();
    const auto found = catalog_.functions.find({schema, name, call.args_size()});
    return found != catalog_.functions.end() && found->second.builtin && found->second.volatility == 'i';
  }

  static bool is_plain_operator(const pg_query::A_Expr& expr) {
    static const std::set<std::string> kNames{"=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "~~", "!~~"};
    const auto [schema, name] = qualified_name(expr.name());
    if (!schema.empty() && schema != "pg_catalog") return false;
    switch (expr.kind()) {
      case pg_query::AEXPR_OP:
      case pg_query::AEXPR_OP_ANY:
      case pg_query::AEXPR_OP_ALL:
      case pg_query::AEXPR_DISTINCT:
      case pg_query::AEXPR_NOT_DISTINCT:
      case pg_query::AEXPR_NULLIF:
      case pg_query::AEXPR_IN:
        return kNames.count(name) != 0;
      default:
        return false;
    }
  }

  [[nodiscard]] bool is_table(const pg_query::RangeVar& range) const {
    if (range.schemaname().empty()) return true;  // a common table expression
    const auto found = catalog_.sources.find({range.schemaname(), range.relname()});
    if (found == catalog_.sources.end()) return false;
    const auto kind = found->second.kind;
    return kind == SourceKind::kTable || kind == SourceKind::kPartitionedTable || kind == SourceKind::kStreamTable;
  }

  const Catalog& catalog_;
  bool has_time_;
};

}  // namespace

bool depends_on_settings(const pg_query::SelectStmt& select, const Catalog& catalog,
                         const std::vector<const SourceColumn*>& columns, const std::vector<TypeInfo>& results) {
  // A domain may have constraints that call functions.
  const auto is_odd = [](const TypeInfo& type) {
    return type.oid != type.base_oid || (!is_plain(type.oid) && !is_of_time(type.oid));
  };
  if (std::any_of(columns.begin(), columns.end(), [&](const auto* column) { return is_odd(column->type); }))
    return true;
  if (std::any_of(results.begin(), results.end(), is_odd)) return true;
  const Judge judge(catalog, std::any_of(columns.begin(), columns.end(),
                                         [](const auto* column) { return is_of_time(column->type.oid); }));
  bool depends = false;
  walk(select, [&](const Node& node) {
    depends = depends || judge.depends(node);
    return !depends;
  });
  return depends;
}

}  // namespace pgtrickle::compiler
