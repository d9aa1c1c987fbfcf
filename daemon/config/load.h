// From a YAML file and the command line to a checked Config.
//
// load() never throws for bad input: `problems` lists everything that is wrong, one line each, as
// "file:line: key: what; hint". Without problems `config` is complete: every value is in its range, there is at least
// one database, and every database has a unique name (one of those to be discovered may have none). Passwords of
// password_file and worker_password_file are in dsn and worker_dsn then. Values of dsn never appear in a message: they
// may hold passwords.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/config.h"

namespace pgtrickle::config {

/// What the command line says; it wins over the file. `dsns` replaces the file's databases.
struct Overrides {
  std::vector<std::string> dsns;
  std::optional<std::string> worker_dsn;  // of all of these
  std::optional<std::string> http_port;
  std::optional<std::string> log_level;
  std::optional<std::string> log_levels = {};
  std::optional<std::string> log_format = {};
};

struct LoadResult {
  Config config;
  std::vector<std::string> problems;
  std::vector<std::string> warnings;
  bool password_in_text = false;  // a dsn holds one as it was written
  [[nodiscard]] bool ok() const { return problems.empty(); }
};

/// `path` is empty if there is no file.
LoadResult load(const std::string& path, const Overrides& overrides);

/// The same with the text of a file; `path` is only its name in messages.
LoadResult load_text(const std::string& text, const std::string& path, const Overrides& overrides);

}  // namespace pgtrickle::config
