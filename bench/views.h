// The six views of the benchmark. Each exists in four forms over the same sources: the stream table st_<name>, the
// hand-written program hand.refresh_<name>() with its table hand.<name>, and the materialized view mv_<name>.
#pragma once

#include <string>
#include <vector>

namespace pgt::bench {

struct View {
  std::string name;
  std::string query;
  std::string key;  // of the result; unique index of the materialized view
  bool reads_customers = false;
};

const std::vector<View>& views();

/// Text of bench/sql/<file>, with every ":<name>" of `variables` replaced.
std::string sql_file(const std::string& file, const std::vector<std::pair<std::string, long>>& variables = {});

}  // namespace pgt::bench
