// One error, whichever client library brings it; and SQL and PostgreSQL mean the same by a SQLSTATE as the register.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "model/error_register.h"
#include "postgres/blocking_error.h"
#include "postgres/connection.h"
#include "support/database.h"

namespace pgt::test {
namespace {

namespace asio = boost::asio;
using pgtrickle::postgres::Error;

/// Through libpq, as the scheduler gets it.
Error by_libpq(const std::string& dsn, const std::string& sql) {
  asio::io_context io{1};
  pgtrickle::postgres::ConnectSettings settings{.conninfo = dsn, .workers = std::make_shared<asio::thread_pool>(1)};
  Error error;
  const auto work = [&]() -> asio::awaitable<void> {
    const auto connection = co_await pgtrickle::postgres::Connection::connect(settings);
    pgtrickle::postgres::Statement statement;
    statement.sql = sql;
    const auto rows =
        co_await (*connection)->query(std::move(statement), pgtrickle::postgres::Clock::time_point::max());
    if (!rows.ok()) error = rows.error();
  };
  asio::co_spawn(io, work, [](const std::exception_ptr& e) {
    if (e) std::rethrow_exception(e);
  });
  io.run();
  return error;
}

/// Through libpqxx, as builder and command line tool get it.
Error by_libpqxx(const std::string& dsn, const std::string& sql) {
  try {
    Session(dsn).exec(sql);
  } catch (const pqxx::failure& failure) {
    return pgtrickle::postgres::error_of(failure);
  }
  return {};
}

std::string raising(const std::string& how) {
  return "DO $do$ BEGIN RAISE EXCEPTION USING " + how + "; END $do$";
}

TEST(Errors, AreTheSameThroughBothClientLibraries) {
  TestDatabase db;
  for (const std::string& sql :
       {std::string("SELEC 1"), std::string("SELECT * FROM nowhere"), std::string("SELECT 1/0"),
        raising("MESSAGE = 'a', DETAIL = E'b\nDETAILS', HINT = 'c', ERRCODE = '42501'"), raising("ERRCODE = 'TR001'"),
        raising("ERRCODE = 'serialization_failure', MESSAGE = 'too late', HINT = 'again'"),
        raising("ERRCODE = 'deadlock_detected'"), raising("ERRCODE = 'no_data_found'"), raising("ERRCODE = '40000'"),
        raising("ERRCODE = 'disk_full', MESSAGE = 'full'"), raising("ERRCODE = 'lock_not_available'"),
        raising("ERRCODE = 'data_corrupted', MESSAGE = E'two\nlines'"), raising("MESSAGE = 'plain'"),
        raising("ERRCODE = 'feature_not_supported', MESSAGE = 'ä'")}) {
    const Error one = by_libpq(db.dsn(), sql), other = by_libpqxx(db.dsn(), sql);
    EXPECT_FALSE(one.sqlstate.empty()) << sql;
    EXPECT_EQ(one.sqlstate, other.sqlstate) << sql;
    EXPECT_EQ(one.origin, other.origin) << sql;
    EXPECT_EQ(one.message, other.message) << sql;
    EXPECT_EQ(one.detail, other.detail) << sql;
    EXPECT_EQ(one.hint, other.hint) << sql;
    EXPECT_EQ(one.context, other.context) << sql;
    EXPECT_EQ(one.place, other.place) << sql;
    EXPECT_EQ(one.classify(), other.classify()) << sql;
  }
  EXPECT_EQ(by_libpqxx(db.dsn(), "SELEC 1").place, "LINE 1: SELEC 1\n        ^");
}

TEST(Errors, OfANameInTheBodyOfAFunctionSayThatItIsTheSearchPath) {
  TestDatabase db;
  Session session(db.dsn());
  session.exec(
      "CREATE TABLE rates (x int);"
      "CREATE FUNCTION by_table(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT max(x) + $1 FROM rates';"
      "CREATE FUNCTION by_function(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN by_table($1); END';"
      "CREATE FUNCTION calls(f text) RETURNS int LANGUAGE plpgsql SET search_path = pg_catalog AS"
      " $$ DECLARE r int; BEGIN EXECUTE format('SELECT public.%I(1)', f) INTO r; RETURN r; END $$");
  for (const std::string function : {"by_table", "by_function"}) {
    const std::string sql = "SELECT public.calls('" + function + "')";
    for (const Error& error : {by_libpq(db.dsn(), sql), by_libpqxx(db.dsn(), sql)}) {
      EXPECT_NE(error.hint.find("the body of function "), std::string::npos) << error.hint;
      EXPECT_NE(error.hint.find(function), std::string::npos) << error.hint;
      EXPECT_NE(error.hint.find("SET search_path"), std::string::npos) << error.hint;
    }
  }
  EXPECT_EQ(by_libpq(db.dsn(), "SELECT 1 FROM nowhere").hint, "");
}

TEST(Errors, HaveTheNamesThatPostgresHasForThem) {
  TestDatabase db;
  Session session(db.dsn());
  int named = 0;
  for (const auto& row : pgtrickle::condition_register()) {
    if (*row.name == '\0') continue;
    ++named;
    EXPECT_EQ(by_libpq(db.dsn(), raising("ERRCODE = '" + std::string(row.name) + "'")).sqlstate, row.sqlstate)
        << row.name;
  }
  EXPECT_GT(named, 50);
}

TEST(Errors, AreJudgedBySqlAsByTheDaemon) {
  TestDatabase db;
  Session session(db.dsn());
  std::vector<std::string> codes{"", "22012", "P0004", "XX999"};
  for (const auto& row : pgtrickle::condition_register()) codes.emplace_back(row.sqlstate);
  for (const auto& row : pgtrickle::sqlstate_class_register())
    codes.push_back((std::string(row.prefix) + "ZZZ").substr(0, 5));
  for (const auto& code : codes) {
    const auto row = session.exec("SELECT pgtrickle._error_class('" + code + "'), pgtrickle._error_remedy('" + code +
                                  "'), pgtrickle._build_may_cure('" + code + "')")[0];
    EXPECT_EQ(row[0].c_str(), pgtrickle::to_string(pgtrickle::classify_sqlstate(code))) << code;
    EXPECT_EQ(row[1].c_str(), pgtrickle::remedy_of(code)) << code;
    EXPECT_EQ(row[2].as<bool>(), pgtrickle::build_may_cure(code)) << code;
  }
}

}  // namespace
}  // namespace pgt::test
