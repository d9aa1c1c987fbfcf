#include "catalog/names.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace pgtrickle::catalog {

namespace {

using Json = nlohmann::json;

NamedColumn column_from(const Json& json) {
  return {json.at(0).get<int>(), json.at(1).get<std::string>(),
          json.at(2).dump() + " " + json.at(3).dump() + " " + json.at(4).dump()};
}

NamedObject object_from(const Json& json) {
  NamedObject object;
  object.kind = json.at("class").get<std::string>();
  object.oid = json.at("oid").get<std::uint32_t>();
  object.schema = json.value("schema", "");
  object.name = json.value("name", "");
  object.signature = json.value("signature", "");
  if (json.contains("columns"))
    for (const auto& column : json.at("columns")) object.columns.push_back(column_from(column));
  return object;
}

std::vector<NamedObject> objects_from(const char* text) {
  std::vector<NamedObject> objects;
  for (const auto& json : Json::parse(text)) objects.push_back(object_from(json));
  return objects;
}

std::set<std::string> builtin_functions(ServerTypes& types, const std::string& names) {
  std::set<std::string> builtin;
  for (const auto& row : types.ask("pgt_builtin_functions",
                                   "SELECT DISTINCT proname FROM pg_proc\n"
                                   "WHERE pronamespace = 'pg_catalog'::regnamespace AND proname IN (\n"
                                   "  SELECT (k ->> 'name')::name FROM jsonb_array_elements($1::jsonb) k\n"
                                   "  WHERE k ->> 'class' = 'function')",
                                   names))
    builtin.insert(row[0].c_str());
  return builtin;
}

bool same_types(const NamedObject& a, const NamedObject& b) {
  if (a.kind == "relation" && a.oid != b.oid) return false;  // another one of the same name
  return std::all_of(a.columns.begin(), a.columns.end(), [&](const NamedColumn& column) {
    const auto* other = b.column(column.number);
    return other == nullptr || other->type == column.type;
  });
}

}  // namespace

const NamedColumn* NamedObject::column(int number) const {
  const auto found = std::find_if(columns.begin(), columns.end(), [&](const auto& c) { return c.number == number; });
  return found == columns.end() ? nullptr : &*found;
}

bool Names::unchanged() const {
  return seen.size() >= now.size() && std::equal(now.begin(), now.end(), seen.begin());
}

bool Names::types_changed() const {
  for (std::size_t i = 0; i < now.size(); ++i)
    if (!same_types(seen.at(i), now[i])) return true;
  return false;
}

bool Names::knows(const std::string& kind, std::uint32_t oid) const {
  const auto is = [&](const NamedObject& object) { return object.kind == kind && object.oid == oid; };
  return std::any_of(now.begin(), now.end(), is) || std::any_of(seen.begin(), seen.end(), is);
}

Names load_names(ServerTypes& types, TableId pgt_id) {
  Names names;
  const auto rows =
      types.ask("pgt_names",
                "SELECT f.found, s.names_now, pgtrickle._names_now(f.found) FROM pgtrickle.pgt_stream_tables s\n"
                "CROSS JOIN LATERAL (SELECT pgtrickle._names_found(s.names, s.names_now, false) AS found) f\n"
                "WHERE s.pgt_id = $1 AND jsonb_array_length(s.names_now) >= jsonb_array_length(s.names)",
                pgt_id);
  if (rows.empty()) return names;
  names.then_text = rows[0][0].c_str();
  names.now_text = rows[0][2].c_str();
  names.then = objects_from(rows[0][0].c_str());
  names.seen = objects_from(rows[0][1].c_str());
  names.now = objects_from(rows[0][2].c_str());
  names.builtin_functions = builtin_functions(types, names.then_text);
  return names;
}

void record_names(pqxx::transaction_base& tx, TableId pgt_id, const Names& names, const std::string& view) {
  tx.exec_params(
      "UPDATE pgtrickle.pgt_stream_tables SET names = $2::jsonb, names_now = $3::jsonb || pgtrickle._names_now((\n"
      "  SELECT coalesce(jsonb_agg(jsonb_build_object('class', r.class, 'oid', r.oid::bigint)), '[]')\n"
      "  FROM pgtrickle._referred($4::regclass) r WHERE r.class IN ('function', 'operator') AND NOT EXISTS (\n"
      "    SELECT FROM jsonb_array_elements($3::jsonb) k WHERE k ->> 'class' = r.class AND k -> 'oid' = "
      "to_jsonb(r.oid::bigint))))\n"
      "WHERE pgt_id = $1",
      pgt_id, names.then_text, names.now_text, view);
}

}  // namespace pgtrickle::catalog
