// Several sessions that write at the same time, each to groups of its own.
#pragma once

#include <string>
#include <vector>

#include "forms.h"

namespace pgt::bench::immediate {

enum class Work {
  kOneStatement,  // a transaction is one UPDATE of one row
  kPause,         // BEGIN; UPDATE of one row; the client does something else for a millisecond; COMMIT
};

/// Transactions per second of `clients` sessions. The view "aggregate" or "join_aggregate" has been put on; no two
/// sessions touch the same group.
double transactions_per_second(Form& form, Work work, int clients, double seconds);

}  // namespace pgt::bench::immediate
