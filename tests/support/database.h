// A fresh database with pgtrickle installed, per test, dropped with the object; and Session, a thin libpqxx connection.
//
//   TestDatabase db;
//   Session s(db.dsn());
//   s.exec("CREATE TABLE t (a int)");
//   db.create_stream_table("st", "SELECT a, count(*) FROM t GROUP BY a");   // built at once, no daemon needed
//   s.exec("INSERT INTO t VALUES (1)");
//   db.refresh("st");
//   EXPECT_TRUE(equals_query(s, "st"));                                     // support/oracle.h
#pragma once

#include <cstdint>
#include <memory>
#include <pqxx/pqxx>
#include <string>

#include "catalog/builder.h"

namespace pgt::test {

/// A connection in autocommit: every exec() is its own statement, so BEGIN, COMMIT and CALL work as in psql.
/// Errors are pqxx::sql_error (with sqlstate()). When the connection is lost one call throws pqxx::broken_connection,
/// the next one connects again.
class Session {
 public:
  explicit Session(const std::string& dsn);

  pqxx::result exec(const std::string& sql);
  /// First column of the only row, as text; throws unless there is exactly one row. NULL is an empty string.
  std::string value(const std::string& sql);
  /// All rows as "a|b\nc|d", NULL as "null": convenient to compare.
  std::string table(const std::string& sql);
  [[nodiscard]] std::string quote(const std::string& text) { return connection_.quote(text); }
  [[nodiscard]] pqxx::connection& connection() { return connection_; }

 private:
  pqxx::connection connection_;
};

class TestDatabase {
 public:
  /// kPlainScript: installed, and all owners of stream tables are trusted. kStrict: nobody is.
  enum class Install { kPlainScript, kStrict, kNothing };

  explicit TestDatabase(Install install = Install::kPlainScript);
  ~TestDatabase();
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& dsn() const { return dsn_; }

  /// pgtrickle.create_stream_table() and then the build, in this process. Throws if either fails.
  void create_stream_table(const std::string& name, const std::string& query, const std::string& mode = "AUTO");
  /// The build alone, for a stream table that exists; waits out passing conditions.
  pgtrickle::catalog::BuildResult build(const std::string& name);
  /// Builds whatever the catalog says is waiting to be built, as the daemon would.
  void build_pending();
  /// CALL pgtrickle.refresh(name).
  void refresh(const std::string& name);
  std::int64_t id_of(const std::string& name);
  std::string effective_mode(const std::string& name);

 private:
  Session& session();

  std::string name_;
  std::string dsn_;
  std::unique_ptr<Session> session_;
};

}  // namespace pgt::test
