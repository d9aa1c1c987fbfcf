// The register of settings: the one place that knows each key, its type, range, default and help. The loader, the
// sample file (config/pgtrickled.yaml) and docs/CONFIGURATION.md are made from it; adding a setting means adding a line
// here and a member in config.h (or in DatabaseEntry). Defaults are those of the members.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "config/config.h"

namespace pgtrickle::config {

template <class Owner>
struct Setting {
  std::string key;    // "scheduler.default_schedule": section and name; without a dot: top level
  std::string type;   // duration, integer, size, text, choice, levels by topic (a map of scalars)
  std::string range;  // what values are allowed, for people
  std::string help;
  std::function<std::string(const Owner&)> show;  // the value as it would be written
  /// Parses and stores; answers what is wrong ("expected ..., got ..."), empty if all is well.
  std::function<std::string(Owner&, const std::string&)> set;
};

/// Everything but the list of databases, in the order of the sample file.
const std::vector<Setting<Config>>& settings();

/// An entry of `databases` as it is written. The loader reads the files, so the daemon sees connection strings alone.
struct DatabaseEntry : Database {
  std::string password_file;         // holds the password for dsn and nothing else
  std::string worker_password_file;  // the same for worker_dsn
};

/// The keys of one entry of `databases`.
const std::vector<Setting<DatabaseEntry>>& database_settings();

/// The first sentence of a section's documentation; `section` is "databases", "scheduler", "http", ...
std::string section_help(const std::string& section);

}  // namespace pgtrickle::config
