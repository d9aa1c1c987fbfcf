// What processes use, read from /proc: CPU seconds of a process and of a whole PostgreSQL cluster, memory of a process.
// CPU time comes in ticks of 10 ms per process.
#pragma once

#include <sys/types.h>

#include <set>

namespace pgt::bench {

/// The process and the children it has waited for.
double cpu_seconds(pid_t pid);

/// The postmaster and all server processes that it has ever had.
double cpu_seconds_of_cluster();

/// The sum over those of the processes that still live.
double cpu_seconds(const std::set<pid_t>& pids);

/// Resident memory in MB.
double resident_megabytes(pid_t pid);

}  // namespace pgt::bench
