// Stream tables of an ordinary role, before and after a daemon starts, and what they become when something goes wrong.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "postgres/blocking_error.h"
#include "support/database.h"
#include "support/oracle.h"
#include "support/process.h"
#include "support/roles.h"

namespace pgt::test {

inline std::string sqlstate_and_text(const std::function<void()>& work) {
  try {
    work();
  } catch (const pqxx::failure& error) {
    return pgtrickle::postgres::error_of(error).sqlstate + " " + error.what();
  }
  return "no error";
}

class Faults : public ::testing::Test {
 protected:
  Faults() : root_(db_.dsn()) {
    owner_ = roles_.create("pgt_owner");
    root_.exec("GRANT CREATE, USAGE ON SCHEMA public TO " + owner_);
    session_ = std::make_unique<Session>(db_.dsn() + " user=" + owner_);
    run("CREATE TABLE items (id int PRIMARY KEY, kind int NOT NULL, amount int, note text);"
        "INSERT INTO items SELECT i, i % 5, i, 'n' || i FROM generate_series(1, 100) AS i;"
        "CREATE TABLE kinds (kind int PRIMARY KEY, label text); INSERT INTO kinds SELECT i, 'k' || i FROM "
        "generate_series(0, 4) AS i");
  }

  /// As the owner, an ordinary role.
  void run(const std::string& sql) { session_->exec(sql); }

  static std::string call(const std::string& name, const std::string& query, const std::string& rest = "") {
    return "SELECT pgtrickle.create_stream_table($name$" + name + "$name$, $query$" + query +
           "$query$, schedule => '100 ms'" + rest + ")";
  }

  void create(const std::string& name, const std::string& query, const std::string& mode = "AUTO") {
    run(call(name, query, ", refresh_mode => '" + mode + "'"));
  }

  void create_totals() {
    create("totals", "SELECT kind, count(*) AS n, sum(amount) AS total FROM items GROUP BY kind");
  }
  void create_labelled() { create("labelled", "SELECT i.id, k.label FROM items i JOIN kinds k USING (kind)"); }

  void start_daemon() { daemon_ = std::make_unique<DaemonProcess>(db_.dsn()); }

  void wait_active(const std::string& name) {
    run("SELECT pgtrickle.wait_until_active($name$" + name + "$name$, '20 s')");
  }

  /// A column of pgt_stream_tables, as everybody sees it.
  std::string column(const std::string& name, const std::string& column) {
    return root_.value("SELECT " + column + " FROM pgtrickle.pgt_stream_tables WHERE pgt_relid = to_regclass($name$" +
                       name + "$name$)");
  }

  bool becomes(const std::string& name, const std::string& status,
               std::chrono::milliseconds timeout = std::chrono::seconds(15)) {
    return wait_until([&] { return column(name, "status") == status; }, timeout);
  }

  /// The daemon has brought it up to date, and it equals its query.
  ::testing::AssertionResult becomes_equal(const std::string& name) {
    std::string state;
    const bool fresh = wait_until([&] {
      state = root_.table(
          "SELECT s.status, s.staleness, s.needs_reinit, s.reinit_reason, s.last_error FROM pgtrickle.stream_tables s "
          "JOIN pgtrickle.pgt_stream_tables t USING (pgt_id) WHERE t.pgt_relid = to_regclass($name$" +
          name + "$name$)");
      return state == "ACTIVE|00:00:00|f|null|null";
    });
    if (!fresh) return ::testing::AssertionFailure() << name << " is not up to date: " << state;
    return equals_query(*reader_, name);
  }

  std::string refused(const std::string& sql) {
    return sqlstate_and_text([&] { run(sql); });
  }

  std::string refused(const std::string& query, const std::string& mode) {
    return refused(call("refused", query, ", refresh_mode => '" + mode + "'"));
  }

  Roles roles_;
  TestDatabase db_;
  Session root_;
  std::string owner_;
  std::unique_ptr<Session> session_;
  Session* reader_ = &root_;  // who runs the queries to compare with
  std::unique_ptr<DaemonProcess> daemon_;
};

}  // namespace pgt::test
