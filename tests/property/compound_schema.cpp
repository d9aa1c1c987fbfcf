#include "property/compound_schema.h"

#include <array>

#include "property/compound_statements.h"

namespace pgt::property {
namespace {

Column column(const std::string& name, Type type, double bound) {
  Column made{name, {}};
  made.value.type = type;
  made.value.bound = bound;
  return made;
}

class SchemaGenerator {
 public:
  explicit SchemaGenerator(Random& random) : random_(random) {}

  CompoundSchema schema() {
    made_.schema.name = "app";
    made_.schema.ddl = type_ddl();
    made_.schema.ddl.emplace_back("CREATE SCHEMA app");
    const int tables = random_.between(2, 4);
    for (int i = 0; i < tables; ++i) table();
    rows();
    view();
    functions();
    const int triggers = random_.between(0, 4);
    for (int i = 0; i < triggers; ++i) trigger(i);
    if (random_.chance(15)) rule();
    return std::move(made_);
  }

 private:
  void table() {
    const std::size_t number = made_.schema.tables.size();
    Table t;
    t.sql = "app.t" + std::to_string(number);
    t.columns = {column("id", Type::kInt4, 1e5), column("k", Type::kInt4, 1e5), column("a", Type::kText, 0),
                 column("v", random_.chance(50) ? Type::kNumeric2 : Type::kInt4, 1e5)};
    t.key = {0};
    std::string ddl = "id int4 PRIMARY KEY, k int4, a text, v " + name_of(t.columns[3].value.type);
    std::optional<std::size_t> parent;
    if (random_.chance(number == 0 ? 15 : 80)) {
      parent = random_.chance(15) ? number : random_.below(number + (number == 0 ? 1 : 0));
      t.columns.push_back(column("ref", Type::kInt4, 1e5));
      static const std::vector<std::string> kOnDelete = {"CASCADE", "CASCADE", "SET NULL", "SET DEFAULT", "NO ACTION"};
      static const std::vector<std::string> kOnUpdate = {"CASCADE", "CASCADE", "SET NULL", "NO ACTION"};
      ddl += ", ref int4 REFERENCES app.t" + std::to_string(*parent) + " ON DELETE " + random_.pick(kOnDelete) +
             " ON UPDATE " + random_.pick(kOnUpdate);
      if (random_.chance(25)) ddl += " DEFERRABLE INITIALLY DEFERRED";
    }
    if (random_.chance(30)) {
      made_.schema.ddl.push_back("CREATE TABLE " + t.sql + " (" + ddl + ") PARTITION BY RANGE (id)");
      const bool nested = random_.chance(30);
      const std::array<std::string, 3> bounds = {"FOR VALUES FROM (MINVALUE) TO (10)", "FOR VALUES FROM (10) TO (25)",
                                                 "DEFAULT"};
      for (std::size_t p = 0; p < bounds.size(); ++p) {
        const std::string name = t.sql + "_p" + std::to_string(p);
        t.partitions.push_back(name);
        const bool by_hash = nested && p == 1;
        made_.schema.ddl.push_back("CREATE TABLE " + name + " PARTITION OF " + t.sql + " " + bounds.at(p) +
                                   (by_hash ? " PARTITION BY HASH (id)" : ""));
        if (!by_hash) continue;
        for (int h = 0; h < 2; ++h) {
          t.partitions.push_back(name + "_h" + std::to_string(h));
          made_.schema.ddl.push_back("CREATE TABLE " + t.partitions.back() + " PARTITION OF " + name +
                                     " FOR VALUES WITH (MODULUS 2, REMAINDER " + std::to_string(h) + ")");
        }
      }
    } else {
      made_.schema.ddl.push_back("CREATE TABLE " + t.sql + " (" + ddl + ")");
    }
    t.generated.assign(t.columns.size(), false);
    made_.schema.sources.push_back({t.sql, t.columns, t.key, 15, 1, {}});
    made_.schema.tables.push_back(std::move(t));
    made_.parents.push_back(parent);
  }

  void rows() {
    for (std::size_t i = 0; i < made_.schema.tables.size(); ++i) {
      const int count = random_.between(0, 14);
      for (int row = 0; row < count; ++row) made_.schema.rows.push_back(compound_insert(random_, made_, i, 1));
    }
  }

  void view() {
    const Table& t = random_.pick(made_.schema.tables);
    made_.views.emplace_back("app.some");
    made_.schema.views.push_back("CREATE VIEW app.some AS SELECT id, k, v FROM " + t.sql + " WHERE k < 5");
  }

  std::string nested() { return plain_statement(random_, made_); }

  /// Functions that queries call.
  void functions() {
    for (int i = 0; i < 3; ++i) {
      const std::string name = "app.f" + std::to_string(i);
      made_.functions.push_back(name);
      const std::string body = nested();
      switch (random_.below(3)) {
        case 0:
          made_.programs.push_back("CREATE FUNCTION " + name + "(n int) RETURNS int LANGUAGE plpgsql AS $f$ BEGIN " +
                                   body + "; RETURN n; END $f$");
          break;
        case 1:
          made_.programs.push_back("CREATE FUNCTION " + name + "(n int) RETURNS int LANGUAGE sql AS $f$ " + body +
                                   "; " + nested() + "; SELECT n $f$");
          break;
        default:  // an error in the middle
          made_.programs.push_back("CREATE FUNCTION " + name + "(n int) RETURNS int LANGUAGE plpgsql AS $f$ BEGIN " +
                                   body + "; BEGIN " + nested() +
                                   "; IF n % 2 = 0 THEN RAISE EXCEPTION 'even'; END IF; EXCEPTION WHEN raise_exception "
                                   "THEN " +
                                   nested() + "; END; RETURN n; END $f$");
          break;
      }
    }
    made_.programs.push_back("CREATE PROCEDURE app.p() LANGUAGE plpgsql AS $f$ BEGIN " + nested() + "; COMMIT; " +
                             nested() + "; ROLLBACK; " + nested() + "; END $f$");
  }

  /// Named so that it fires before or after ours.
  void trigger(int number) {
    const std::size_t on = random_.below(made_.schema.tables.size());
    const Table& t = made_.schema.tables[on];
    const std::string function = "app.tr" + std::to_string(number);
    const std::string name = (random_.chance(50) ? "a" : "z") + std::to_string(number);
    static const std::vector<std::string> kEvents = {"INSERT",
                                                     "UPDATE",
                                                     "DELETE",
                                                     "INSERT OR DELETE",
                                                     "INSERT OR UPDATE",
                                                     "UPDATE OR DELETE",
                                                     "INSERT OR UPDATE OR DELETE"};
    std::string event = random_.pick(kEvents);
    std::string body = nested();
    if (random_.chance(30)) body += "; " + nested();
    std::string returned = "NULL";
    std::string clause;
    std::string kind = "TRIGGER";
    switch (random_.below(6)) {
      case 0:
        clause = "BEFORE " + event + " ON " + t.sql + " FOR EACH ROW";
        returned = "coalesce(NEW, OLD)";
        if (random_.chance(30)) body += "; IF TG_OP = 'UPDATE' THEN NEW.v := OLD.v; END IF";
        if (random_.chance(20)) body += "; IF TG_OP = 'INSERT' AND NEW.k = 3 THEN RETURN NULL; END IF";
        break;
      case 1:
        clause = "BEFORE " + event + " ON " + t.sql + " FOR EACH STATEMENT";
        break;
      case 2:
        clause = "AFTER " + event + (random_.chance(30) ? " OR TRUNCATE" : "") + " ON " + t.sql + " FOR EACH STATEMENT";
        break;
      case 3:  // with transition tables
        event = random_.chance(50) ? "INSERT" : "UPDATE";
        clause = "AFTER " + event + " ON " + t.sql + " REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT";
        body = "UPDATE " + random_.pick(made_.schema.tables).sql + " SET k = k + 1 WHERE id IN (SELECT id + " +
               std::to_string(random_.between(0, 3)) + " FROM fresh)";
        break;
      case 4:
        if (t.partitions.empty()) {
          kind = "CONSTRAINT TRIGGER";
          clause = "AFTER " + event + " ON " + t.sql + " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW";
          break;
        }
        [[fallthrough]];
      default:
        clause = "AFTER " + event + " ON " + t.sql + " FOR EACH ROW";
        break;
    }
    if (random_.chance(25))
      body = "BEGIN " + body +
             "; IF TG_OP <> 'DELETE' THEN RAISE EXCEPTION 'undone'; END IF; EXCEPTION WHEN "
             "raise_exception THEN " +
             nested() + "; END";
    made_.programs.push_back(
        "CREATE FUNCTION " + function + "() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN IF pg_trigger_depth() <= " +
        std::to_string(random_.between(1, 2)) + " THEN " + body + "; END IF; RETURN " + returned + "; END $f$");
    made_.programs.push_back("CREATE " + kind + " " + name + " " + clause + " EXECUTE FUNCTION " + function + "()");
  }

  /// One statement of a user becomes two.
  void rule() {
    const std::size_t from = random_.below(made_.schema.tables.size());
    const std::size_t to = random_.below(made_.schema.tables.size());
    const Table& t = made_.schema.tables[from];
    if (from == to || !t.partitions.empty()) return;
    made_.programs.push_back("CREATE RULE also AS ON DELETE TO " + t.sql + " DO ALSO UPDATE " +
                             made_.schema.tables[to].sql + " SET k = coalesce(k, 0) + 1 WHERE id = OLD.id");
  }

  Random& random_;
  CompoundSchema made_;
};

}  // namespace

CompoundSchema random_compound_schema(Random& random) {
  return SchemaGenerator(random).schema();
}

}  // namespace pgt::property
