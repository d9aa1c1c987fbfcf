#include "sqlsmith/generator.h"

#include <regex>
#include <stdexcept>

#include "support/process.h"

namespace pgt::sqlsmith {

namespace {

constexpr const char* kTables = R"(
  CREATE TABLE a (id int PRIMARY KEY, n int, big bigint, label text, amount numeric(10,2), day date, flag bool);
  CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a ON DELETE CASCADE, small smallint, word varchar(20), at timestamp, span interval);
  CREATE TABLE c (x int, y int, tags text[], numbers int[], doc jsonb, ratio float8);
  CREATE TABLE d (code char(3), key uuid, raw bytea, total numeric, day date NOT NULL, flag bool NOT NULL);
  CREATE INDEX ON b (a_id);
)";

/// Rows `first` to `last`: values repeat, a part of them is NULL.
std::string inserts(const std::string& first, const std::string& last) {
  const std::string rows = " FROM generate_series(" + first + ", " + last + ") i";
  return "INSERT INTO a SELECT i, nullif(i % 7, 3), i % 5 * 1000000000::bigint, chr(97 + i % 4) || repeat('x', i % 3), "
         "nullif(i % 6, 2) * 1.25, '2024-02-27'::date + i % 5, CASE i % 3 WHEN 0 THEN true WHEN 1 THEN false END" +
         rows +
         ";\n"
         "INSERT INTO b SELECT i, (SELECT max(id) FROM a WHERE id <= i / 2 + 2), nullif(i % 4, 1), 'w' || i % 5, "
         "'2024-02-28 22:00'::timestamp + i % 4 * interval '1 hour', i % 3 * interval '1 day'" +
         rows +
         ";\n"
         "INSERT INTO c SELECT i % 6, nullif(i % 5, 0), ARRAY['t' || i % 3, nullif('t' || i % 4, 't1')], ARRAY[i % 3, "
         "i "
         "% 4, NULL], jsonb_build_object('k', i % 4, 'l', jsonb_build_array(i % 2, NULL)), nullif(i % 8, 5) * 0.25" +
         rows +
         ";\n"
         "INSERT INTO d SELECT nullif('c' || i % 4, 'c2'), md5((i % 5)::text)::uuid, decode(md5((i % 3)::text), "
         "'hex'), "
         "i % 4 + 0.5, '2024-02-28'::date + i % 4, i % 2 = 0" +
         rows + ";\n";
}

// The server knows its catalogs by number, sqlsmith by name: views of those names hide functions and operators from it.
// Aggregates whose result depends on the order of their input are left out, and those of floats, whose sums do.
constexpr const char* kTame = R"(
  SET allow_system_table_mods = on;
  CREATE TABLE pg_catalog.tame_types AS SELECT oid FROM pg_type WHERE oid = ANY ('{int2,int4,int8,text,varchar,bpchar,numeric,
    float8,bool,date,timestamp,interval,uuid,bytea,jsonb,_text,_int4}'::regtype[]);
  ALTER TABLE pg_catalog.pg_proc RENAME TO all_functions;
  CREATE VIEW pg_catalog.pg_proc AS SELECT * FROM pg_catalog.all_functions
    WHERE provolatile = 'i' AND prorettype IN (SELECT oid FROM pg_catalog.tame_types)
      AND NOT EXISTS (SELECT FROM unnest(proargtypes) t WHERE t NOT IN (SELECT oid FROM pg_catalog.tame_types))
      AND proname !~ '^(repeat|lpad|rpad|format|array_fill|.*_accum.*|.*_combine|.*_final.*|.*_inv|.*hash.*)$'
      AND (prokind <> 'a' OR proname ~ '^(count|min|max|bool_and|bool_or|every|bit_and|bit_or|bit_xor)$'
        OR proname ~ '^(sum|avg|stddev.*|var.*)$' AND NOT proargtypes::oid[] && '{float4,float8}'::regtype[]::oid[]);
  ALTER TABLE pg_catalog.pg_operator RENAME TO all_operators;
  CREATE VIEW pg_catalog.pg_operator AS SELECT * FROM pg_catalog.all_operators
    WHERE (SELECT provolatile FROM pg_catalog.all_functions p WHERE p.oid = oprcode) = 'i'
      AND oprleft IN (SELECT oid FROM pg_catalog.tame_types) AND oprright IN (SELECT oid FROM pg_catalog.tame_types)
      AND oprresult IN (SELECT oid FROM pg_catalog.tame_types);
)";

std::string trimmed(std::string query) {
  static const std::regex sample(R"(tablesample (system|bernoulli) \([0-9.]+\) ?)");
  static const std::regex any_row(R"(\(select (\w+) from (\S+) limit 1 offset (\d+)\))");
  static const std::regex limit(R"(\blimit \d+(?!\d| offset))");
  query = std::regex_replace(query, sample, "");
  query = std::regex_replace(query, any_row, "(select $1 from $2 order by 1 limit 1 offset $3)");
  return std::regex_replace(query, limit, "");
}

}  // namespace

bool is_installed() {
  return test::run_process({"sqlsmith", "--version"}).exit_code == 0;
}

void create_tables(test::Session& session) {
  session.exec(kTables);
  session.exec(inserts("1", "12"));
}

std::string changes(int step) {
  const std::string n = std::to_string(step);
  const std::string next = "(SELECT coalesce(max(id), 0) FROM a)";
  return inserts(next + " + 1", next + " + 3") +
         "DELETE FROM a WHERE id IN (SELECT id FROM a ORDER BY id LIMIT 3);\n"
         "DELETE FROM b WHERE id IN (SELECT id FROM b ORDER BY id LIMIT greatest((SELECT count(*) - 12 FROM b), 0));\n"
         "DELETE FROM c WHERE ctid IN (SELECT ctid FROM c ORDER BY x, y, ctid LIMIT 3);\n"
         "DELETE FROM d WHERE ctid IN (SELECT ctid FROM d ORDER BY total, ctid LIMIT 3);\n"
         "UPDATE a SET n = nullif((n + " +
         n + ") % 7, 2), flag = NOT flag WHERE id % 4 = " + n +
         " % 4;\n"
         "UPDATE b SET small = (id + " +
         n + ") % 4, a_id = (SELECT min(id) FROM a WHERE id > b.a_id) WHERE id % 3 = " + n +
         " % 3;\n"
         "UPDATE c SET y = nullif((x + " +
         n + ") % 5, 1), ratio = nullif(x * 0.5, 1) WHERE x % 3 = " + n +
         " % 3;\n"
         "UPDATE d SET total = total + 1, day = day + 1, flag = NOT flag WHERE total::int % 3 = " +
         n + " % 3";
}

Generator::Generator(Kind kind) : kind_(kind), database_(test::TestDatabase::Install::kNothing) {
  test::Session session(database_.dsn());
  create_tables(session);
  if (kind_ != Kind::kTame) return;
  session.exec(kTame);
}

std::vector<std::string> Generator::queries(std::uint64_t seed, std::size_t statements) const {
  const auto result =
      test::run_process({"sqlsmith", "--target=" + database_.dsn(), "--dry-run", "--exclude-catalog",
                         "--seed=" + std::to_string(seed % 2147483647), "--max-queries=" + std::to_string(statements)});
  if (result.out.empty()) throw std::runtime_error("sqlsmith made nothing: " + result.err);
  std::vector<std::string> queries;
  std::size_t from = 0;
  for (std::size_t end = result.out.find(';'); end != std::string::npos; end = result.out.find(';', from)) {
    std::string statement = result.out.substr(from, end - from);
    from = end + 1;
    statement.erase(0, statement.find_first_not_of(" \n"));
    if (statement.rfind("select", 0) != 0 && statement.rfind("WITH", 0) != 0) continue;
    if (kind_ != Kind::kWild) statement = trimmed(std::move(statement));
    queries.push_back(std::move(statement));
  }
  return queries;
}

}  // namespace pgt::sqlsmith
