#include "forms.h"

#include <stdexcept>

#include "support/cluster.h"
#include "views.h"

namespace pgt::bench::immediate {
namespace {

constexpr long kCustomers = 10'000;

std::string table_name(const View& view, int number) {
  return "t_" + view.name + "_" + std::to_string(number);
}

}  // namespace

const std::vector<View>& views() {
  static const std::vector<View> all{
      {"scan", "SELECT id, customer_id, amount FROM orders", "id"},
      {"filter", "SELECT id, customer_id, amount FROM orders WHERE status = 'paid'", "id"},
      {"aggregate", "SELECT customer_id, count(*) AS n, sum(amount) AS total FROM orders GROUP BY customer_id",
       "customer_id"},
      {"join", "SELECT o.id, o.amount, c.region, c.name FROM orders o JOIN customers c ON c.id = o.customer_id", "id"},
      {"join_aggregate",
       "SELECT c.region, count(*) AS n, sum(o.amount) AS total FROM orders o JOIN customers c ON c.id = o.customer_id "
       "WHERE o.status <> 'void' GROUP BY c.region",
       "region"},
      {"min_max", "SELECT customer_id, min(amount) AS lowest, max(amount) AS highest FROM orders GROUP BY customer_id",
       "customer_id"},
      {"distinct", "SELECT DISTINCT customer_id, status FROM orders", "customer_id, status"},
      {"left_join",
       "SELECT c.id, c.name, o.id AS order_id, o.customer_id, o.amount FROM customers c LEFT JOIN orders o "
       "ON o.customer_id = c.id",
       "id, order_id"}};
  return all;
}

std::string pg_ivm_version() {
  test::Session session(test::dsn_of("postgres"));
  return session.table("SELECT default_version FROM pg_available_extensions WHERE name = 'pg_ivm'");
}

Form::Form(Kind kind, int count, long orders) : kind_(kind), count_(count), session_(db_.dsn()), processor_(session_) {
  session_.exec(sql_file("shop.sql", {{"orders", orders}, {"customers", kCustomers}}));
  if (kind == Kind::kPgIvm) {
    session_.exec("CREATE EXTENSION pg_ivm");
    session_.exec("ALTER DATABASE " + db_.name() + " SET session_preload_libraries = 'pg_ivm'");
    session_.exec("LOAD 'pg_ivm'");
  }
  session_.exec("VACUUM ANALYZE");
}

std::string Form::label() const {
  const std::string times = count_ > 1 ? std::to_string(count_) + " " : "";
  switch (kind_) {
    case Kind::kNone:
      return "none";
    case Kind::kOurs:
      return times + "IMMEDIATE";
    case Kind::kPgIvm:
      return times + "pg_ivm";
    case Kind::kByHand:
      return "by hand";
  }
  throw std::logic_error("unknown form");
}

bool Form::put_on(const View& view) {
  why_.clear();
  if (kind_ == Kind::kByHand && view.name != "join_aggregate") {
    why_ = "not written";
    return false;
  }
  try {
    for (int i = 1; i <= count_; ++i) create(view, table_name(view, i));
  } catch (const pqxx::sql_error& error) {
    if (kind_ != Kind::kPgIvm) throw;
    why_ = error.what();
    take_off(view);
    return false;
  }
  session_.exec("VACUUM ANALYZE");
  return true;
}

void Form::create(const View& view, const std::string& table) {
  switch (kind_) {
    case Kind::kNone:
      return;
    case Kind::kOurs:
      db_.create_stream_table(table, view.query, "IMMEDIATE");
      if (db_.effective_mode(table) != "IMMEDIATE") throw std::runtime_error(table + " is not IMMEDIATE");
      return;
    case Kind::kPgIvm:
      session_.exec("SELECT pgivm.create_immv('" + table + "', $$" + view.query + "$$)");
      // It makes an index where it sees a key. Where it does not, its manual says to make one.
      if (session_.value("SELECT count(*) FROM pg_index WHERE indrelid = '" + table + "'::regclass") == "0")
        session_.exec("CREATE INDEX ON " + table + " (" + view.key + ")");
      return;
    case Kind::kByHand:
      session_.exec(sql_file("../immediate/by_hand.sql"));
      return;
  }
}

void Form::take_off(const View& view) {
  switch (kind_) {
    case Kind::kNone:
      return;
    case Kind::kOurs:
      for (int i = 1; i <= count_; ++i)
        session_.exec("SELECT pgtrickle.drop_stream_table('" + table_name(view, i) + "')");
      return;
    case Kind::kPgIvm:
      for (int i = 1; i <= count_; ++i) session_.exec("DROP TABLE IF EXISTS " + table_name(view, i));
      return;
    case Kind::kByHand:
      if (view.name == "join_aggregate") session_.exec("DROP SCHEMA hand CASCADE");
      return;
  }
}

long Form::differing_rows(const View& view) {
  if (kind_ == Kind::kNone) return 0;
  // The columns by name: pg_ivm adds some of its own.
  session_.exec("CREATE TEMP VIEW expected AS " + view.query);
  const std::string names = session_.value(
      "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute "
      "WHERE attrelid = 'expected'::regclass AND attnum > 0");
  long wrong = 0;
  for (int i = 1; i <= count_; ++i) {
    const std::string table = "SELECT " + names + " FROM " +
                              (kind_ == Kind::kByHand ? std::string("hand.join_aggregate") : table_name(view, i));
    wrong +=
        std::stol(session_.value("SELECT count(*) FROM ((" + table +
                                 " EXCEPT ALL TABLE expected) UNION ALL (TABLE expected EXCEPT ALL " + table + ")) d"));
  }
  session_.exec("DROP VIEW expected");
  return wrong;
}

}  // namespace pgt::bench::immediate
