#include "drift/stage.h"

#include <stdexcept>

#include "postgres/error.h"
#include "support/oracle.h"

namespace pgt::test {
namespace {

using pgtrickle::catalog::BuildStatus;

constexpr int kMostRounds = 4;

constexpr const char* kNoEventTriggers = R"(
  DO $$ DECLARE e record; BEGIN
    FOR e IN SELECT t.evtname FROM pg_event_trigger t JOIN pg_proc p ON p.oid = t.evtfoid
             WHERE p.pronamespace = 'pgtrickle'::regnamespace LOOP
      EXECUTE format('DROP EVENT TRIGGER %I', e.evtname);
    END LOOP;
  END $$)";

/// Without where it happened: generated functions are long.
std::string message_of(const pqxx::sql_error& error) {
  const std::string text = error.what();
  return text.substr(0, text.find("\nCONTEXT:"));
}

/// Columns and their types, as a person would compare them.
std::string columns_of(Session& session, const std::string& relation) {
  return session.table(
      "SELECT a.attname, format_type(a.atttypid, a.atttypmod), coalesce(c.collname, '') FROM pg_attribute a LEFT JOIN "
      "pg_collation c ON c.oid = a.attcollation WHERE a.attrelid = '" +
      relation + "'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum");
}

}  // namespace

StageSession::StageSession(const std::string& dsn) : Session(dsn) {
  exec("SET search_path = drift, public; SET client_min_messages = error");
}

Stage::Stage(bool watched, Builder builder)
    : user_(db_.dsn()), another_user_(db_.dsn()), judge_(db_.dsn()), refresher_(db_.dsn()), builder_(builder) {
  if (!watched) user_.exec(kNoEventTriggers);
}

Stage::~Stage() = default;

std::string Stage::said_to_have_stopped(const std::string& name) {
  return judge_.value(
      "SELECT CASE WHEN status IN ('ERROR', 'SUSPENDED') THEN concat_ws(' ', last_error, last_error_hint) END FROM "
      "pgtrickle.pgt_stream_tables WHERE pgt_id = " +
      id_of(name));
}

bool Stage::other_waits() {
  return judge_.value("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid = " +
                      std::to_string(another_user_.connection().backendpid()) + ")") == "t";
}

int Stage::server_major() {
  return std::stoi(judge_.value("SHOW server_version_num")) / 10000;
}

void Stage::set_up(const World& world, bool with_other) {
  world_ = world;
  user_.exec("CREATE SCHEMA drift; " + world.setup);
  create("st", world.query, world);
  st_id_ = std::to_string(db_.id_of("drift.st"));
  has_other_ = with_other && !world.other.empty() && world.other != "none";
  if (has_other_) {
    World plain = world;
    plain.owner = "postgres";
    plain.mode = "AUTO";
    create("other", world.other, plain);
    other_id_ = std::to_string(db_.id_of("drift.other"));
  }
  // The small tables of a test would otherwise be recomputed, and prove little about the delta program.
  user_.exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL");
}

void Stage::create(const std::string& name, const std::string& query, const World& world) {
  user_.exec("SET ROLE " + world.owner);
  user_.exec("CREATE VIEW drift." + name + "_view WITH (security_invoker = true) AS " + query);
  user_.exec("SELECT pgtrickle.create_stream_table('drift." + name + "', " + user_.quote(query) + ", refresh_mode => " +
             user_.quote(world.mode) + ")");
  user_.exec("RESET ROLE");
  if (builder_ == Builder::kDaemon) {
    user_.exec("SELECT pgtrickle.wait_until_active('drift." + name + "')");
    return;
  }
  const auto built = db_.build("drift." + name);
  if (built.status != BuildStatus::kActive) throw std::runtime_error("building " + name + ": " + built.message);
}

void Stage::clear(const World& world, const std::string& undo) {
  user_.exec("ROLLBACK; RESET ROLE; RESET SESSION AUTHORIZATION");
  if (!undo.empty()) user_.exec(undo);
  user_.exec("DROP SCHEMA IF EXISTS drift, elsewhere CASCADE");
  user_.exec(
      "DELETE FROM pgtrickle.pgt_stream_tables s WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = s.pgt_relid)");
  if (!world.teardown.empty()) user_.exec(world.teardown);
}

std::string Stage::relation(Session& session, const std::string& name) {
  return session.value("SELECT pgtrickle._qualified(pgt_relid) FROM pgtrickle.pgt_stream_tables WHERE pgt_id = " +
                       id_of(name));
}

std::string Stage::owner(Session& session, const std::string& name) {
  return session.value(
      "SELECT quote_ident(pg_get_userbyid(c.relowner)) FROM pgtrickle.pgt_stream_tables s JOIN pg_class c ON c.oid = "
      "s.pgt_relid WHERE s.pgt_id = " +
      id_of(name));
}

pgtrickle::catalog::BuildResult Stage::build(const std::string& name) {
  return db_.build(relation(judge_, name));
}

std::string Stage::generation(const std::string& name) {
  return judge_.value(
      "SELECT generation || coalesce(reinit_reason, '') FROM pgtrickle.pgt_stream_tables WHERE pgt_id = " +
      id_of(name));
}

bool Stage::asks_for_build(const std::string& name) {
  return judge_.value(
             "SELECT needs_reinit OR status IN ('PENDING', 'INITIALIZING', 'ERROR') FROM pgtrickle.pgt_stream_tables "
             "WHERE pgt_id = " +
             id_of(name)) == "t";
}

// Empty if it was refreshed. "obsolete": an error that makes the daemon build it again. One that says that table and
// state disagree does that too, but must not happen.
std::string Stage::refresh(const std::string& name, bool& obsolete) {
  const std::string refresh = "CALL pgtrickle.refresh(" + refresher_.quote(relation(judge_, name)) + ")";
  try {
    try {
      refresher_.exec(refresh);
    } catch (const pqxx::sql_error& error) {
      if (std::string(error.what()).find("does not have a replica identity") == std::string::npos) throw;
      refresher_.exec("SELECT pgtrickle._settle_replica_identities()");
      refresher_.exec(refresh);
    }
    return {};
  } catch (const pqxx::sql_error& error) {
    obsolete = std::string(error.what()).find("must be rebuilt") != std::string::npos ||
               pgtrickle::classify_sqlstate(error.sqlstate()) == pgtrickle::ErrorClass::kObsolete;
    return message_of(error);
  }
}

// As the daemon does: what asks for it is rebuilt, the rest is refreshed.
Settled Stage::settle(const std::string& name) {
  Settled settled;
  for (int round = 0; round < kMostRounds; ++round) {
    if (!asks_for_build(name)) {
      bool obsolete = false;
      settled.stopped = refresh(name, obsolete);
      if (!obsolete) return settled;
    }
    settled.rebuilt = true;
    const auto built = build(name);
    settled.stopped = built.message + " " + built.error.hint;
    if (built.status != BuildStatus::kActive) return settled;
  }
  settled.stopped = "it asks to be rebuilt again and again: " + settled.stopped + generation(name);
  return settled;
}

// Where the view was in the way of the statement the row has dropped it.
bool Stage::make_missing_view(const std::string& name) {
  if (judge_.value("SELECT to_regclass('drift." + name + "_view') IS NOT NULL") == "t") return true;
  const std::string text = name == "st" ? world_.query : world_.other;
  try {
    judge_.exec("SET ROLE " + owner(judge_, name));
    judge_.exec("CREATE VIEW drift." + name + "_view WITH (security_invoker = true) AS " + text);
    judge_.exec("RESET ROLE");
    return true;
  } catch (const pqxx::sql_error&) {
    judge_.exec("RESET ROLE");
    return false;
  }
}

::testing::AssertionResult Stage::equals_view(const std::string& name) {
  if (!make_missing_view(name)) return ::testing::AssertionFailure() << "the query is not possible any more";
  return equals_view(judge_, name);
}

::testing::AssertionResult Stage::equals_view(Session& session, const std::string& name) {
  session.exec(
      "SELECT set_config(e.key, e.value, false) FROM pgtrickle.pgt_stream_tables s, jsonb_each_text(s.settings) "
      "e WHERE s.pgt_id = " +
      id_of(name));
  const std::string table = relation(session, name);
  const std::string view = "drift." + name + "_view";
  const std::string has = columns_of(session, table);
  const std::string should = columns_of(session, view);
  if (has != should)
    return ::testing::AssertionFailure() << "columns of " << name << ":\n" << has << "\nof its query:\n" << should;
  session.exec("SET ROLE " + owner(session, name));
  auto equal = equals_query(session, table, "SELECT * FROM " + view);
  session.exec("RESET ROLE");
  return equal;
}

}  // namespace pgt::test
