#include "sources.h"

#include <fstream>
#include <sstream>
#include <stdexcept>

#include "compiler/parse/ast.h"

namespace pgtrickle::bench {

namespace {

using compiler::Catalog;
using compiler::Source;
using compiler::TypeInfo;

TypeInfo type_named(const std::string& name) {
  static const std::unordered_map<std::string, std::uint32_t> oids{
      {"integer", 23}, {"bigint", 20}, {"numeric", 1700}, {"date", 1082}, {"bpchar", 1042}, {"varchar", 1043}};
  TypeInfo type;
  type.oid = type.base_oid = oids.at(name);
  type.name = name == "varchar" ? "character varying" : name;
  type.identity = name != "numeric" && name != "bpchar";
  type.fixed_width = name == "integer" || name == "bigint" || name == "date";
  return type;
}

/// "name type, ..." as columns, all NOT NULL.
void add_table(Catalog& catalog, const std::string& name, const std::string& columns,
               const std::vector<std::int16_t>& key) {
  Source source;
  source.relid = static_cast<std::uint32_t>(10000 + catalog.sources.size());
  source.schema = "public";
  source.name = name;
  std::istringstream words(columns);
  std::string column;
  std::string type;
  while (words >> column >> type) {
    if (type.back() == ',') type.pop_back();
    compiler::SourceColumn added;
    added.attnum = static_cast<std::int16_t>(source.columns.size() + 1);
    added.name = column;
    added.type = type_named(type);
    added.not_null = true;
    source.columns.push_back(std::move(added));
  }
  source.unique_keys = {key};
  source.indexed_columns = {key.front()};
  catalog.sources[{"public", name}] = std::move(source);
}

std::string joined(int count, const std::string& separator,
                   const std::function<std::string(const std::string&)>& item) {
  std::string text;
  for (int i = 1; i <= count; ++i) text += (i > 1 ? separator : "") + item(std::to_string(i));
  return text;
}

}  // namespace

Catalog make_catalog() {
  Catalog catalog;
  add_table(catalog, "region", "r_regionkey integer, r_name bpchar, r_comment varchar", {1});
  add_table(catalog, "nation", "n_nationkey integer, n_name bpchar, n_regionkey integer, n_comment varchar", {1});
  add_table(catalog, "supplier",
            "s_suppkey integer, s_name bpchar, s_address varchar, s_nationkey integer, s_phone bpchar, s_acctbal "
            "numeric, s_comment varchar",
            {1});
  add_table(catalog, "part",
            "p_partkey integer, p_name varchar, p_mfgr bpchar, p_brand bpchar, p_type varchar, p_size integer, "
            "p_container bpchar, p_retailprice numeric, p_comment varchar",
            {1});
  add_table(catalog, "partsupp",
            "ps_partkey integer, ps_suppkey integer, ps_availqty integer, ps_supplycost numeric, ps_comment varchar",
            {1, 2});
  add_table(catalog, "customer",
            "c_custkey integer, c_name varchar, c_address varchar, c_nationkey integer, c_phone bpchar, c_acctbal "
            "numeric, c_mktsegment bpchar, c_comment varchar",
            {1});
  add_table(catalog, "orders",
            "o_orderkey bigint, o_custkey integer, o_orderstatus bpchar, o_totalprice numeric, o_orderdate date, "
            "o_orderpriority bpchar, o_clerk bpchar, o_shippriority integer, o_comment varchar",
            {1});
  add_table(catalog, "lineitem",
            "l_orderkey bigint, l_partkey integer, l_suppkey integer, l_linenumber integer, l_quantity numeric, "
            "l_extendedprice numeric, l_discount numeric, l_tax numeric, l_returnflag bpchar, l_linestatus bpchar, "
            "l_shipdate date, l_commitdate date, l_receiptdate date, l_shipinstruct bpchar, l_shipmode bpchar, "
            "l_comment varchar",
            {1, 4});
  for (int t = 1; t <= 16; ++t) {
    std::string columns = "k integer";
    for (int c = 1; c <= 200; ++c) columns += ", c" + std::to_string(c) + " integer";
    add_table(catalog, "t" + std::to_string(t), columns, {1});
  }
  for (const char* name : {"count", "sum", "min", "max", "avg"})
    for (const int arguments : {0, 1}) catalog.functions[{"", name, arguments}] = {true, false, false, 'i', true};
  catalog.functions[{"", "substring", 3}] = {};
  catalog.functions[{"", "substr", 3}] = {};
  catalog.functions[{"", "extract", 2}] = {};
  return catalog;
}

std::vector<Query> tpch_queries() {
  std::ifstream file(std::string(PGT_BENCH_DIR) + "/tpch.sql");
  if (!file) throw std::runtime_error("cannot read tpch.sql");
  std::vector<Query> queries;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("-- q", 0) == 0) {
      queries.push_back({line.substr(3), {}});
    } else if (!queries.empty()) {
      queries.back().text += line + "\n";
    }
  }
  for (auto& query : queries) query.text.resize(query.text.rfind(';'));
  return queries;
}

Query join_of(int tables) {
  return {"join", "SELECT t1.k, " + joined(tables, ", ", [](const auto& i) { return "t" + i + ".c2 AS a" + i; }) +
                      " FROM " + joined(tables, ", ", [](const auto& i) { return "public.t" + i; }) + " WHERE " +
                      joined(tables, " AND ", [](const auto& i) {
                        return i == "1" ? std::string("(t1.c3 > 5)")
                                        : "(t" + i + ".k = t" + std::to_string(std::stoi(i) - 1) + ".c1)";
                      })};
}

Query columns_of(int columns) {
  return {"columns", "SELECT t1.k, " + joined(columns, ", ", [](const auto& i) {
                       return "((t1.c" + i + " + t2.c" + i + ") * " + i + ") AS a" + i;
                     }) + " FROM (public.t1 JOIN public.t2 ON ((t2.k = t1.c1)))"};
}

Query union_of(int branches) {
  return {"union", joined(branches, " UNION ALL ", [](const auto& i) {
            return "SELECT t1.k, (t1.c" + i + " + 1) AS a, t1.c2 AS b FROM public.t1 WHERE (t1.c" + i + " > " + i + ")";
          })};
}

Query expression_of(int operators) {
  return {"expression", "SELECT t1.k, (t1.c1" + joined(operators, "", [](const auto& i) { return " + t1.c" + i; }) +
                            ") AS a, " + "CASE WHEN " +
                            joined(operators, " AND ", [](const auto& i) { return "(t1.c" + i + " <> " + i + ")"; }) +
                            " THEN 1 ELSE 2 END AS b FROM public.t1"};
}

Query nested_of(int levels) {
  std::string text = "SELECT t1.c1 AS a, count(*) AS n FROM public.t1 GROUP BY t1.c1";
  for (int i = 1; i < levels; ++i)
    text = "SELECT q.n AS a, count(*) AS n FROM (" + text + ") q WHERE (q.n > " + std::to_string(i) + ") GROUP BY q.n";
  return {"nested", text};
}

std::vector<TypeInfo> RememberedTypes::column_types(const std::string& select) {
  auto& types = known_[select];
  if (types.empty()) {
    auto parsed = compiler::parse_select(select);
    while (parsed.has_larg()) parsed = pg_query::SelectStmt(parsed.larg());
    types.assign(static_cast<std::size_t>(parsed.target_list_size()), type_named("numeric"));
  }
  return types;
}

compiler::CompileRequest request_for(const Query& query) {
  compiler::CompileRequest request;
  request.id = 7;
  request.query = query.text;
  request.schema = "public";
  request.name = "st";
  request.owner = "alice";
  request.admin = "admin";
  request.limits.nesting = compiler::kLargestMaxNesting;
  auto parsed = compiler::parse_select(query.text);
  while (parsed.has_larg()) parsed = pg_query::SelectStmt(parsed.larg());
  for (int i = 1; i <= parsed.target_list_size(); ++i)
    request.columns.push_back({"c" + std::to_string(i), type_named("integer"), "integer"});
  for (std::uint32_t relid = 10000; relid < 10100; ++relid)
    request.log_ids.emplace_back(relid, static_cast<std::int64_t>(relid) - 9999);
  return request;
}

}  // namespace pgtrickle::bench
