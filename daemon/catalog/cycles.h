// Cycles of stream tables: found before a program is installed that would close one that is not allowed. A cycle has a
// result that does not depend on the order of refreshes, its least fixed point, only if no member takes rows away when
// others gain some, and only if its author meant it.
#pragma once

#include <cstdint>
#include <optional>
#include <pqxx/pqxx>
#include <string>

#include "compiler/program.h"
#include "model/stream_table.h"

namespace pgtrickle::catalog {

struct ForbiddenCycle {
  std::string message;  // names the cycle, "a -> b -> a", and what is in the way
  std::string hint;
};

/// What is wrong with the cycle that stream table `pgt_id` is a member of once it has this program; nullopt: it is in
/// none, or in one that is allowed.
std::optional<ForbiddenCycle> forbidden_cycle(pqxx::transaction_base& tx, TableId pgt_id,
                                              const compiler::Program& program);

}  // namespace pgtrickle::catalog
