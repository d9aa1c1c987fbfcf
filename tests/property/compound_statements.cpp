#include "property/compound_statements.h"

namespace pgt::property {
namespace {

/// What is caught must not be an error of pgtrickle's.
const char* const kNotOurs =
    "GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT; IF concat(SQLERRM, context) LIKE '%pgtrickle%' THEN RAISE "
    "EXCEPTION 'pgtrickle raised: % %', SQLERRM, context; END IF";

class StatementGenerator {
 public:
  StatementGenerator(Random& random, const CompoundSchema& schema, bool valid = false)
      : random_(random), made_(schema), valid_(valid) {}

  std::string plain(const std::string& returning = {}) {
    const std::size_t t = table();
    switch (random_.weighted({30, 30, 20, 20})) {
      case 0:
        return insert(t, random_.between(1, 3)) + (random_.chance(80) ? " ON CONFLICT DO NOTHING" : "") + returning;
      case 1:
        return "UPDATE " + target(t) + " SET " + assignments(t) + " WHERE " + condition(t) + returning;
      case 2:
        return "UPDATE " + target(t) + " SET id = id + " + number(1, 20) + " WHERE " + condition(t) + returning;
      default:
        return "DELETE FROM " + target(t) + " WHERE " + condition(t) + returning;
    }
  }

  std::string insert(std::size_t t, int rows) {
    std::string sql = "INSERT INTO " + name(t) + " (" + columns(t) + ") VALUES ";
    for (int row = 0; row < rows; ++row) sql += (row == 0 ? "(" : ", (") + values(t) + ")";
    return sql;
  }

  std::string compound(bool alone) {
    switch (random_.weighted({30, 14, 8, 10, 5, 6, 12, 12, 6, 4, alone ? 3 : 0})) {
      case 0:
        return ctes();
      case 1:
        return plain();
      case 2:
        return on_conflict();
      case 3:
        return merge();
      case 4:
        return truncate();
      case 5:
        return copy();
      case 6:
        return block();
      case 7:
        return functions();
      case 8:
        return view();
      case 9:
        return from_itself();
      default:
        return "CALL app.p()";
    }
  }

 private:
  std::string number(int low, int high) { return std::to_string(random_.between(low, high)); }
  std::size_t table() { return random_.below(made_.schema.tables.size()); }
  const std::string& name(std::size_t t) { return made_.schema.tables[t].sql; }
  bool has_ref(std::size_t t) { return made_.parents[t].has_value(); }
  std::string columns(std::size_t t) { return has_ref(t) ? "id, k, a, v, ref" : "id, k, a, v"; }

  std::string target(std::size_t t) {
    const auto& partitions = made_.schema.tables[t].partitions;
    return !partitions.empty() && random_.chance(25) ? random_.pick(partitions) : name(t);
  }

  std::string key(std::size_t t) {
    return random_.chance(85) ? number(1, 40) : "(SELECT coalesce(max(id), 0) + 1 FROM " + name(t) + ")";
  }

  /// An id of the parent, NULL if there is none; now and then one that is not there.
  std::string reference(std::size_t t) {
    if (!valid_ && random_.chance(6)) return number(1, 40);
    return "(SELECT min(id) FROM " + name(*made_.parents[t]) + " WHERE id >= " + number(1, 30) + ")";
  }

  std::string value(std::size_t t, const std::string& column) {
    for (const auto& c : made_.schema.tables[t].columns) {
      if (c.name == column) return random_value(random_, c.value, 15);
    }
    return "NULL";
  }

  std::string values(std::size_t t) {
    std::string list = key(t) + ", " + value(t, "k") + ", " + value(t, "a") + ", " + value(t, "v");
    if (has_ref(t)) list += ", " + reference(t);
    return list;
  }

  std::string assignments(std::size_t t) {
    switch (random_.below(has_ref(t) ? 5 : 4)) {
      case 0:
        return "k = " + value(t, "k");
      case 1:
        return "k = k + 1, a = " + value(t, "a");
      case 2:
        return "v = v + " + number(-2, 3);
      case 3:
        return "v = " + value(t, "v") + ", k = id % 4";
      default:
        return "ref = " + reference(t);
    }
  }

  std::string condition(std::size_t t, const std::string& alias = {}) {
    const std::string dot = alias.empty() ? "" : alias + ".";
    switch (random_.weighted({25, 20, 15, 10, 15, 10, 5})) {
      case 0:
        return dot + "id = " + number(1, 30);
      case 1:
        return dot + "id % " + number(2, 4) + " = 1";
      case 2:
        return dot + "k = " + number(0, 5);
      case 3:
        return dot + "a = " + value(t, "a");
      case 4: {
        const std::size_t other = table();
        return dot + "id IN (SELECT " + (has_ref(other) ? "ref" : "k") + " FROM " + name(other) + " WHERE k < " +
               number(1, 6) + ")";
      }
      case 5:
        return dot + "v IS NULL";
      default:
        return "true";
    }
  }

  std::string ctes(bool may_select = true) {
    std::string sql = "WITH ";
    const int parts = random_.between(1, 3);
    for (int i = 0; i < parts; ++i) {
      const std::string alias = "c" + std::to_string(i);
      std::string part = plain(" RETURNING id");
      if (i > 0 && random_.chance(35)) {  // what the one before returns
        const std::size_t t = table();
        const std::string before = "(SELECT id FROM c" + std::to_string(i - 1) + ")";
        part = random_.chance(50)
                   ? "DELETE FROM " + name(t) + " WHERE id IN " + before + " RETURNING id"
                   : "INSERT INTO " + name(t) + " (id, k) SELECT id, id % 5 FROM c" + std::to_string(i - 1) +
                         " ON CONFLICT (id) DO " +
                         (random_.chance(50) ? "NOTHING" : "UPDATE SET k = coalesce(excluded.k, 0) + 1") +
                         " RETURNING id";
      }
      sql += (i == 0 ? "" : ", ") + alias + " AS (" + part + ")";
    }
    sql += " ";
    if (may_select && random_.chance(25)) return sql + "SELECT count(*) FROM c0";
    if (may_select && random_.chance(15)) return sql + "SELECT 1";  // nobody reads what they return
    return sql + plain();
  }

  std::string on_conflict() {
    const std::size_t t = table();
    static const std::vector<std::string> kActions = {"k = excluded.k", "v = excluded.v, a = NULL",
                                                      "id = excluded.id + 50", "k = excluded.k, v = NULL"};
    return insert(t, random_.between(1, 4)) + " ON CONFLICT (id) DO UPDATE SET " + random_.pick(kActions) +
           (random_.chance(20) ? " WHERE excluded.k > 2" : "");
  }

  std::string merge() {
    const std::size_t t = table();
    const std::size_t from = table();
    std::string sql = "MERGE INTO " + target(t) + " m USING (SELECT " + (has_ref(from) ? "coalesce(ref, id)" : "id") +
                      " AS id, min(k) AS k FROM " + name(from) + " GROUP BY 1) s ON m.id = s.id" +
                      (random_.chance(30) ? " + " + number(1, 5) : "");
    if (random_.chance(60)) sql += " WHEN MATCHED AND s.k < " + number(1, 5) + " THEN DELETE";
    if (random_.chance(70))
      sql += std::string(" WHEN MATCHED THEN UPDATE SET ") +
             (random_.chance(30) ? "id = m.id + " + number(1, 20) : "k = s.k + 1, a = 'm'");
    sql += " WHEN NOT MATCHED THEN " +
           (random_.chance(70) ? "INSERT (id, k) VALUES (s.id, s.k)" : std::string("DO NOTHING"));
    return sql;
  }

  std::string truncate() {
    const std::size_t t = table();
    std::string sql = "TRUNCATE " + target(t);
    if (random_.chance(30)) sql += ", " + name(table());
    return sql + (random_.chance(85) ? " CASCADE" : "");
  }

  /// Text format, so no values that need escapes.
  std::string copy() {
    const std::size_t t = table();
    std::string rows;
    for (int i = random_.between(1, 4); i > 0; --i) rows += number(1, 60) + "\\t" + number(0, 6) + "\\n";
    return "COPY " + target(t) + " (id, k) FROM PROGRAM $c$printf '" + rows + "'$c$";
  }

  /// Of these, what PL/pgSQL takes as a statement.
  std::string within_block() {
    switch (random_.below(6)) {
      case 0:
        return ctes(false);
      case 1:
        return on_conflict();
      case 2:
        return merge();
      case 3:
        return truncate();
      case 4:
        return from_itself();
      default:
        return plain();
    }
  }

  std::string block() {
    const std::string start = "DO $do$ DECLARE context text; r record; BEGIN ";
    const std::string caught =
        " EXCEPTION WHEN raise_exception OR integrity_constraint_violation OR "
        "triggered_data_change_violation OR cardinality_violation THEN " +
        std::string(kNotOurs) + "; ";
    switch (random_.below(4)) {
      case 0:
        return start + plain() + "; BEGIN " + plain() + "; " + within_block() + "; RAISE EXCEPTION 'undone';" + caught +
               plain() + "; END; " + plain() + "; END $do$";
      case 1:
        return start + "BEGIN " + plain() + "; " + plain() + ";" + caught + "END; BEGIN " + plain() + ";" + caught +
               "END; END $do$";
      case 2: {
        const std::size_t t = table();
        return start + "FOR r IN SELECT id FROM " + name(t) + " WHERE " + condition(t) + " ORDER BY id LOOP " +
               plain() + "; UPDATE " + name(table()) + " SET k = r.id % 5 WHERE id = r.id + 1; END LOOP; END $do$";
      }
      default:
        return start + "FOR r IN " + plain(" RETURNING id") + " LOOP UPDATE " + name(table()) +
               " SET v = 1 WHERE id = r.id; END LOOP; " + plain() + "; END $do$";
    }
  }

  std::string call(const std::string& argument) { return random_.pick(made_.functions) + "(" + argument + ")"; }

  std::string functions() {
    const std::size_t t = table();
    switch (random_.below(6)) {
      case 0:
        return "SELECT " + call("id") + " FROM " + name(t) + " WHERE " + condition(t) + " LIMIT 4";
      case 1:
        return "UPDATE " + name(t) + " SET k = " + call("k") + " WHERE " + condition(t);
      case 2:
        return "DELETE FROM " + name(t) + " WHERE " + condition(t) + " AND " + call("id") + " > 0";
      case 3:
        return "INSERT INTO " + name(t) + " (id, k) SELECT " + call("g") + " + 60, g FROM generate_series(1, " +
               number(1, 3) + ") g ON CONFLICT DO NOTHING";
      case 4:
        return plain(" RETURNING " + call("id"));
      default:
        return "WITH c AS (" + plain(" RETURNING " + call("id") + " AS n") + ") SELECT " + call("n") + " FROM c";
    }
  }

  std::string view() {
    const std::string view = random_.pick(made_.views);
    switch (random_.below(3)) {
      case 0:
        return "INSERT INTO " + view + " VALUES (" + number(1, 40) + ", " + number(0, 6) +
               ", 1) ON CONFLICT DO NOTHING";
      case 1:
        return "UPDATE " + view + " SET v = coalesce(v, 0) + 1, id = id + " + number(0, 15) +
               " WHERE k = " + number(0, 4);
      default:
        return "WITH c AS (DELETE FROM " + view + " WHERE k = " + number(0, 4) + " RETURNING id) " + plain();
    }
  }

  std::string from_itself() {
    const std::size_t t = table();
    return "INSERT INTO " + name(t) + " (id, k, v) SELECT id + " + number(1, 40) + ", k, v FROM " + name(t) +
           " WHERE " + condition(t) + " ON CONFLICT DO NOTHING";
  }

  Random& random_;
  const CompoundSchema& made_;
  bool valid_;
};

}  // namespace

std::string plain_statement(Random& random, const CompoundSchema& schema) {
  return StatementGenerator(random, schema).plain();
}

std::string compound_insert(Random& random, const CompoundSchema& schema, std::size_t table, int rows) {
  return StatementGenerator(random, schema, true).insert(table, rows) + " ON CONFLICT DO NOTHING";
}

std::string compound_statement(Random& random, const CompoundSchema& schema, bool alone) {
  return StatementGenerator(random, schema).compound(alone);
}

std::string bounding_statement(const CompoundSchema& schema) {
  std::string sql;
  for (std::size_t t = 0; t < schema.schema.tables.size(); ++t) {
    const std::string& name = schema.schema.tables[t].sql;
    sql += (t == 0 ? "WITH c" : ", c") + std::to_string(t) + " AS (DELETE FROM " + name +
           " WHERE id IN (SELECT id FROM " + name + " ORDER BY id DESC OFFSET 20))";
  }
  return sql + " SELECT 1";
}

}  // namespace pgt::property
