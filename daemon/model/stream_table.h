// What every part of the daemon calls a stream table and a source. A part that knows more about one than this has its
// own structure, which begins with the identity.
#pragma once

#include <cstdint>
#include <string>

namespace pgtrickle {

using TableId = std::int64_t;   // pgt_stream_tables.pgt_id
using SourceId = std::int64_t;  // pgt_sources.source_id: a captured relation, or the change log of a stream table

struct StreamTableIdentity {
  TableId id = 0;
  std::string schema, name;

  /// For people: as alerts, logs and the API show it, not quoted.
  [[nodiscard]] std::string label() const { return schema + "." + name; }
};

}  // namespace pgtrickle
