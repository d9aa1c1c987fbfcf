#include "support/database.h"

#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <thread>

#include "cli/install_sql.h"
#include "model/status.h"
#include "support/cluster.h"

namespace pgt::test {
namespace {

/// The time that compiling may take is one of the wall clock: on a busy machine, or with sanitizers, a query would be
/// FULL because of it.
pgtrickle::catalog::BuildSettings patient() {
  pgtrickle::catalog::BuildSettings settings;
  settings.limits.time = std::chrono::minutes(5);
  return settings;
}

std::string unique_name() {
  static int counter = 0;
  return "pgt_test_" + std::to_string(::getpid()) + "_" + std::to_string(++counter);
}

// PostgreSQL refuses every change of a status that daemon/model/status.cpp does not know, in all tests; but for what a
// test itself makes up, after SET pgtrickle_test.by_hand = on.
std::string status_guard() {
  std::string changes;
  for (const pgtrickle::Transition& t : pgtrickle::transitions()) {
    for (const pgtrickle::TableStatus from : t.from) {
      changes += (changes.empty() ? "'" : ", '") + to_string(from) + " > " + to_string(t.to) + "'";
    }
  }
  return R"(
CREATE SCHEMA pgtrickle_test;
CREATE FUNCTION pgtrickle_test.check_status() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF old.status || ' > ' || new.status <> ALL (ARRAY[)" +
         changes + R"(]) THEN
        RAISE EXCEPTION 'no event changes a status from % to %', old.status, new.status;
    END IF;
    RETURN new;
END
$$;
CREATE TRIGGER check_status BEFORE UPDATE OF status ON pgtrickle.pgt_stream_tables
    FOR EACH ROW WHEN (old.status <> new.status AND current_setting('pgtrickle_test.by_hand', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION pgtrickle_test.check_status();
)";
}

// Installing once into a template and copying it is faster than installing for every test.
const std::string& template_with_pgtrickle() {
  static const std::string name = [] {
    const std::string fresh = unique_name();
    Session(dsn_of("postgres")).exec("CREATE DATABASE " + fresh + " IS_TEMPLATE true");
    Session(dsn_of(fresh)).exec(std::string(pgtrickle::install_sql()));
    Session(dsn_of(fresh)).exec(status_guard());
    return fresh;
  }();
  return name;
}

// The same, with all owners trusted: what is tested elsewhere than in tests/security/ are not the borders between them.
const std::string& template_of_one_team() {
  static const std::string name = [] {
    const std::string fresh = unique_name();
    Session(dsn_of("postgres"))
        .exec("CREATE DATABASE " + fresh + " TEMPLATE " + template_with_pgtrickle() + " IS_TEMPLATE true");
    Session(dsn_of(fresh)).exec("SELECT pgtrickle.trust_all_owners(true)");
    return fresh;
  }();
  return name;
}

const std::string& template_for(TestDatabase::Install install) {
  static const std::string nothing = "template1";
  switch (install) {
    case TestDatabase::Install::kNothing:
      return nothing;
    case TestDatabase::Install::kStrict:
      return template_with_pgtrickle();
    case TestDatabase::Install::kPlainScript:
      break;
  }
  return template_of_one_team();
}

}  // namespace

Session::Session(const std::string& dsn) : connection_(dsn) {}

pqxx::result Session::exec(const std::string& sql) {
  pqxx::nontransaction tx(connection_);
  return tx.exec(sql);
}

std::string Session::value(const std::string& sql) {
  const auto rows = exec(sql);
  if (rows.size() != 1) throw std::runtime_error(std::to_string(rows.size()) + " rows instead of 1 from " + sql);
  return rows[0][0].as<std::string>("");
}

std::string Session::table(const std::string& sql) {
  std::string text;
  for (const auto& row : exec(sql)) {
    if (!text.empty()) text += '\n';
    for (const auto& field : row) {
      if (field.num() > 0) text += '|';
      text += field.is_null() ? "null" : field.c_str();
    }
  }
  return text;
}

TestDatabase::TestDatabase(Install install) {
  name_ = unique_name();
  dsn_ = dsn_of(name_);
  // Nothing of the template is in the WAL then, which takes half of the time.
  Session(dsn_of("postgres"))
      .exec("CREATE DATABASE " + name_ + " TEMPLATE " + template_for(install) + " STRATEGY file_copy");
}

TestDatabase::~TestDatabase() {
  session_.reset();
  try {
    Session(dsn_of("postgres")).exec("DROP DATABASE " + name_ + " WITH (FORCE)");
  } catch (const std::exception&) {
    // The server may be down on purpose; the cluster goes away anyway.
  }
}

Session& TestDatabase::session() {
  if (!session_ || !session_->connection().is_open()) session_ = std::make_unique<Session>(dsn_);
  return *session_;
}

std::int64_t TestDatabase::id_of(const std::string& name) {
  return std::stoll(session().value("SELECT pgt_id FROM pgtrickle.pgt_stream_tables WHERE pgt_relid = to_regclass(" +
                                    session().quote(name) + ")"));
}

std::string TestDatabase::effective_mode(const std::string& name) {
  return session().value("SELECT effective_refresh_mode FROM pgtrickle.pgt_stream_tables WHERE pgt_id = " +
                         std::to_string(id_of(name)));
}

void TestDatabase::create_stream_table(const std::string& name, const std::string& query, const std::string& mode) {
  session().exec("SELECT pgtrickle.create_stream_table(" + session().quote(name) + ", " + session().quote(query) +
                 ", refresh_mode => " + session().quote(mode) + ")");
  const auto result = build(name);
  if (result.status != pgtrickle::catalog::BuildStatus::kActive) {
    throw std::runtime_error("building " + name + ": " + result.message + " " + result.error.hint);
  }
}

pgtrickle::catalog::BuildResult TestDatabase::build(const std::string& name) {
  const std::int64_t id = id_of(name);
  for (int attempt = 1;; ++attempt) {
    auto result = pgtrickle::catalog::build_stream_table(dsn_, id, patient());
    if (result.status != pgtrickle::catalog::BuildStatus::kRetry || attempt == 10) return result;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

void TestDatabase::build_pending() {
  const auto rows = session().exec(
      "SELECT pgt_id FROM pgtrickle.pgt_stream_tables WHERE status IN ('PENDING', 'INITIALIZING')\n"
      "   OR status = 'ACTIVE' AND needs_reinit ORDER BY pgt_id");
  for (const auto& row : rows) pgtrickle::catalog::build_stream_table(dsn_, row[0].as<std::int64_t>(), patient());
}

void TestDatabase::refresh(const std::string& name) {
  session().exec("CALL pgtrickle.refresh(" + session().quote(name) + ")");
}

}  // namespace pgt::test
