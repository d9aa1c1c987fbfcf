#include "views.h"

#include <fstream>
#include <sstream>
#include <stdexcept>

#include "support/cluster.h"

namespace pgt::bench {

const std::vector<View>& views() {
  static const std::vector<View> all{
      {"scan", "SELECT id, customer_id, amount FROM orders", "id"},
      {"filter", "SELECT id, customer_id, amount FROM orders WHERE status = 'paid'", "id"},
      {"groups_5", "SELECT status, count(*) AS n, sum(amount) AS total FROM orders GROUP BY status", "status"},
      {"groups_10k", "SELECT customer_id, count(*) AS n, sum(amount) AS total FROM orders GROUP BY customer_id",
       "customer_id"},
      {"join", "SELECT o.id, o.amount, c.region, c.name FROM orders o JOIN customers c ON c.id = o.customer_id", "id",
       true},
      {"join_aggregate",
       "SELECT c.region, count(*) AS n, sum(o.amount) AS total FROM orders o JOIN customers c ON c.id = o.customer_id "
       "WHERE o.status <> 'void' GROUP BY c.region",
       "region", true}};
  return all;
}

std::string sql_file(const std::string& file, const std::vector<std::pair<std::string, long>>& variables) {
  const std::string path = pgt::test::source_dir() + "/bench/sql/" + file;
  std::ifstream stream(path);
  if (!stream) throw std::runtime_error("cannot read " + path);
  std::ostringstream text;
  text << stream.rdbuf();
  std::string sql = text.str();
  for (const auto& [name, value] : variables) {
    for (std::size_t at = 0; (at = sql.find(":" + name, at)) != std::string::npos;) {
      sql.replace(at, name.size() + 1, std::to_string(value));
    }
  }
  return sql;
}

}  // namespace pgt::bench
