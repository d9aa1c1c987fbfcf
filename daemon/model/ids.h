// The identities of stream tables and sources, for every part of the daemon, the compiler too.
#pragma once

#include <cstdint>

namespace pgtrickle {

using TableId = std::int64_t;   // pgt_stream_tables.pgt_id
using SourceId = std::int64_t;  // pgt_sources.source_id: a captured relation, or the change log of a stream table

}  // namespace pgtrickle
