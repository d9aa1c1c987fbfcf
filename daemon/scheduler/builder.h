// What runs on worker threads: building stream tables and collecting garbage.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "catalog/builder.h"

namespace pgtrickle::scheduler {

/// What the scheduler runs on worker threads. The default calls catalog::; tests pass their own.
struct Builder {
  std::function<catalog::BuildResult(const std::string& conninfo, TableId pgt_id, const catalog::BuildSettings&)>
      build = catalog::build_stream_table;
  std::function<catalog::Garbage(const std::string& conninfo, const catalog::BuildSettings&)> collect_garbage =
      catalog::collect_garbage;
};

}  // namespace pgtrickle::scheduler
