// The throw-away cluster that tests/support/with_cluster.sh made, and the programs under test, read from the
// environment. Every function throws std::runtime_error if the variable is missing: the test was not started through
// that script.
#pragma once

#include <string>

namespace pgt::test {

/// Value of an environment variable; throws if it is not set.
std::string required_env(const std::string& name);

/// Connection string of the cluster's superuser for `database`.
std::string dsn_of(const std::string& database);

/// Top of the source tree.
std::string source_dir();

/// Stops the server at once, as a crash would ("immediate"), and starts it again; returns when it accepts connections.
void restart_server_immediately();

/// Stops the server (mode: fast, immediate) until start_server().
void stop_server(const std::string& mode);
void start_server();

}  // namespace pgt::test
