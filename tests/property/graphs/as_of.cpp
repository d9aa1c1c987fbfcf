#include "property/graphs/as_of.h"

namespace pgt::graphs {
namespace {

void keep_history(test::Session& session, const std::string& name, const std::string& columns) {
  session.exec("CREATE TABLE history." + name + " (xid xid8 NOT NULL, w int NOT NULL, " + columns + ")");
  session.exec("INSERT INTO history." + name + " SELECT pg_current_xact_id(), 1, * FROM public." + name);
  const auto trigger = [&](const char* event, const char* tables) {
    session.exec("CREATE TRIGGER history_" + std::string(event) + " AFTER " + event + " ON public." + name +
                 " REFERENCING " + tables + " FOR EACH STATEMENT EXECUTE FUNCTION history.keep()");
  };
  trigger("INSERT", "NEW TABLE AS added");
  trigger("UPDATE", "OLD TABLE AS gone NEW TABLE AS added");
  trigger("DELETE", "OLD TABLE AS gone");
}

/// A CTE of the relation's name, with its rows as of what `visible` says of h.xid.
std::string base_as_of(std::size_t number, const std::string& visible) {
  const std::string name = base_name(number);
  return name + " AS MATERIALIZED (SELECT h.id, h.k, h.v FROM history." + name + " AS h WHERE " + visible +
         " GROUP BY h.id, h.k, h.v HAVING sum(h.w) > 0)";
}

std::string table_as_of(const std::string& name, const std::string& visible) {
  return name + " AS MATERIALIZED (SELECT x.k, x.v FROM (SELECT h.k, h.v, sum(h.w) AS n FROM history." + name +
         " AS h WHERE " + visible + " GROUP BY h.k, h.v HAVING sum(h.w) > 0) AS x, generate_series(1, x.n))";
}

/// The rows in which the CTE `expected` and the table differ.
std::string differences(const std::string& expected, const std::string& table) {
  const std::string wanted = "SELECT k, v FROM " + expected, held = "SELECT k, v FROM public." + table;
  return "(" + wanted + " EXCEPT ALL " + held + ") UNION ALL (" + held + " EXCEPT ALL " + wanted + ")";
}

}  // namespace

void keep_history_of_bases(test::Session& session, std::size_t bases) {
  session.exec("CREATE SCHEMA history");
  session.exec(
      "CREATE FUNCTION history.keep() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
      "IF TG_OP <> 'DELETE' THEN EXECUTE format('INSERT INTO history.%I SELECT pg_current_xact_id(), 1, * FROM added', "
      "TG_TABLE_NAME); END IF; "
      "IF TG_OP <> 'INSERT' THEN EXECUTE format('INSERT INTO history.%I SELECT pg_current_xact_id(), -1, * FROM gone', "
      "TG_TABLE_NAME); END IF; "
      "RETURN NULL; END$$");
  for (std::size_t b = 0; b < bases; ++b) keep_history(session, base_name(b), "id int, k int, v bigint");
}

void create_with_history(test::Session& session, const Table& table) {
  session.exec("BEGIN");
  session.exec(create_sql(table));
  session.exec("DROP TABLE IF EXISTS history." + table.name);
  keep_history(session, table.name, "k int, v bigint");
  session.exec("COMMIT");
}

std::string exactness_sql(const Case& from, std::size_t number) {
  const Table& table = from.tables[number];
  // What the refresh itself had written when it came to this table is in it as well.
  const std::string visible =
      "(pg_visible_in_snapshot(h.xid, (SELECT snapshot FROM frontier)) OR h.xid = (SELECT xid FROM frontier))";
  std::string text =
      "WITH frontier AS MATERIALIZED (SELECT f.snapshot, f.xid FROM pgtrickle.pgt_frontiers f JOIN "
      "pgtrickle.pgt_stream_tables s USING (pgt_id) WHERE s.pgt_name = '" +
      table.name + "' AND f.snapshot IS NOT NULL)";
  for (const std::size_t base : table.bases) text += ", " + base_as_of(base, visible);
  for (const std::size_t on : table.tables) text += ", " + table_as_of(from.tables[on].name, visible);
  return text + ", expected AS MATERIALIZED (" + table.query + ") SELECT count(d.*) FROM frontier LEFT JOIN (" +
         differences("expected", table.name) + ") AS d ON true HAVING count(*) > 0";
}

std::string equality_sql(const Case& from, std::size_t number) {
  const Table& table = from.tables[number];
  return "WITH expected AS MATERIALIZED (" + table.query + ") SELECT count(d.*) FROM (SELECT FROM " +
         "pgtrickle.pgt_stream_tables s JOIN pgtrickle.pgt_immediate i USING (pgt_id) WHERE s.pgt_name = '" +
         table.name +
         "' AND s.effective_refresh_mode = 'IMMEDIATE' AND s.status = 'ACTIVE' AND NOT s.needs_reinit AND NOT EXISTS "
         "(SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = s.pgt_id)) AS kept LEFT JOIN (" +
         differences("expected", table.name) + ") AS d ON true HAVING count(*) > 0";
}

std::string agreement_sql(const Case& from, const Component& component, const std::string& snapshot) {
  const std::string visible = "pg_visible_in_snapshot(h.xid, '" + snapshot + "'::pg_snapshot)";
  std::set<std::size_t> bases;
  for (const std::size_t member : component.members) {
    bases.insert(from.tables[member].bases.begin(), from.tables[member].bases.end());
  }
  std::string text, checks;
  for (const std::size_t base : bases) text += (text.empty() ? "WITH " : ", ") + base_as_of(base, visible);
  for (const std::size_t member : component.members) {
    const Table& table = from.tables[member];
    // A CTE hides the table of its name: the members' queries read each other as they should be.
    text += (text.empty() ? "WITH " : ", ") + table.name + " AS MATERIALIZED (" + table.query + ")";
    checks += (checks.empty() ? "" : " UNION ALL ") + ("SELECT '" + table.name + "' AS name WHERE EXISTS (") +
              differences(table.name, table.name) + ")";
  }
  return text + " SELECT string_agg(c.name, ', ') FROM (" + checks + ") AS c";
}

std::string frontiers_sql(const Case& from, const Component& component) {
  std::string names;
  for (const std::size_t member : component.members) {
    names += (names.empty() ? "'" : ", '") + from.tables[member].name + "'";
  }
  return "SELECT f.snapshot::text, s.status = 'ACTIVE' AND NOT s.needs_reinit AND f.snapshot IS NOT NULL, s.pgt_name "
         "FROM pgtrickle.pgt_stream_tables s LEFT JOIN pgtrickle.pgt_frontiers f USING (pgt_id) WHERE s.pgt_name IN (" +
         names + ") ORDER BY pg_snapshot_xmax(f.snapshot) DESC, pg_snapshot_xmin(f.snapshot) DESC";
}

}  // namespace pgt::graphs
