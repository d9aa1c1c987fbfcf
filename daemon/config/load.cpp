#include "config/load.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <sstream>

#include "config/settings.h"
#include "config/units.h"
#include "postgres/conninfo.h"

namespace pgtrickle::config {
namespace {

constexpr std::size_t kLongestPassword = 1024;  // of PostgreSQL's client tools

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitution = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitution});
    }
  }
  return row.back();
}

std::string joined(std::string prefix, const std::string& key) {
  return prefix.empty() ? key : prefix.append(".").append(key);
}

std::string unknown_key_hint(const std::string& key, const std::vector<std::string>& known) {
  const auto nearest = std::min_element(known.begin(), known.end(), [&](const auto& a, const auto& b) {
    return edit_distance(a, key) < edit_distance(b, key);
  });
  if (nearest != known.end() && edit_distance(*nearest, key) <= std::max<std::size_t>(2, key.size() / 3)) {
    return "did you mean '" + *nearest + "'?";
  }
  std::string list;
  for (const auto& k : known) list += (list.empty() ? "" : ", ") + k;
  return "known here: " + list;
}

struct OpenQuote {
  char quote = 0;
  int line = 0;       // where it is opened, from 1
  int closed_in = 0;  // 0: never
};

// The first quoted value of a YAML text that does not end in the line in which it begins. That is allowed, but where
// the text is not valid YAML it is what is wrong with it: a forgotten quote makes the next one end it, and the parser
// complains about whatever follows.
std::optional<OpenQuote> open_quote(const std::string& text) {
  std::optional<OpenQuote> open;
  int line = 1;
  bool comment = false;
  char before = '\n', word = '\n';  // the character before, and the last one that was no blank
  for (std::size_t i = 0; i < text.size(); before = text[i++]) {
    const char c = text[i];
    const bool blank = std::strchr(" \t\n", before) != nullptr;
    const bool value = (blank && std::strchr(":-?", word) != nullptr) || std::strchr("\n[{,", word) != nullptr;
    if (open) {
      const bool escapes = c == '\\' && open->quote == '"';
      const bool doubled = c == open->quote && c == '\'' && i + 1 < text.size() && text[i + 1] == c;
      if (escapes || doubled) {
        ++i;
      } else if (c == open->quote) {
        open->closed_in = line;
        if (open->closed_in != open->line) return open;
        open.reset();
      }
    } else if (comment) {
      comment = c != '\n';
    } else if (c == '#' && blank) {
      comment = true;
    } else if ((c == '"' || c == '\'') && value) {
      open = OpenQuote{.quote = c, .line = line};
    }
    if (i < text.size() && text[i] == '\n') ++line;
    if (i < text.size() && !comment && text[i] != ' ' && text[i] != '\t') word = text[i];
  }
  return open;
}

// The value of keyword dbname in what merge_conninfo() wrote: every value is quoted, quotes inside are escaped, so this
// text can only be the keyword itself.
std::string dbname_in(const std::string& conninfo) {
  constexpr std::string_view kStart = "dbname='";
  const auto start = conninfo.find(kStart);
  std::string value;
  for (auto i = start == std::string::npos ? conninfo.size() : start + kStart.size(); i < conninfo.size(); ++i) {
    if (conninfo[i] == '\'') break;
    if (conninfo[i] == '\\') ++i;
    value += conninfo[i];
  }
  return value;
}

std::string default_name(const std::string& normalized_dsn) {
  std::string name = dbname_in(normalized_dsn);
  for (const char* variable : {"PGDATABASE", "PGSERVICE"}) {
    const char* value = std::getenv(variable);
    if (name.empty() && value != nullptr) name = value;
  }
  return name.empty() ? "default" : name;
}

class Loader {
 public:
  Loader(std::string path, const Overrides& overrides) : path_(std::move(path)), overrides_(overrides) {}

  LoadResult run(const std::string& text) {
    if (!text.empty()) read_file(text);
    if (result_.problems.empty()) {
      apply_overrides();
      complete_databases();
      result_.config.databases.assign(databases_.begin(), databases_.end());
      check_combinations();
    }
    return std::move(result_);
  }

  LoadResult unreadable(const std::string& why) {
    result_.problems.push_back(path_ + ": " + why);
    return std::move(result_);
  }

 private:
  void problem(const YAML::Mark& mark, const std::string& key, const std::string& what, const std::string& hint = {}) {
    problem_at(path_ + ":" + std::to_string(mark.line + 1), key, what, hint);
  }

  void problem_at(const std::string& where, const std::string& key, const std::string& what, const std::string& hint) {
    result_.problems.push_back(where + ": " + (key.empty() ? "" : key + ": ") + what +
                               (hint.empty() ? "" : "; " + hint));
  }

  void unclosed(const OpenQuote& open) {
    problem_at(
        path_ + ":" + std::to_string(open.line), "",
        std::string("not valid YAML: the quote (") + open.quote + ") that is opened in this line is " +
            (open.closed_in == 0 ? "never closed" : "closed in line " + std::to_string(open.closed_in) + " only"),
        "close it in the same line");
  }

  void read_file(const std::string& text) try {
    // The parser takes the end of the file for a closing quote.
    if (const auto open = open_quote(text); open && open->closed_in == 0) return unclosed(*open);
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.empty() || documents[0].IsNull()) return;
    if (documents.size() > 1)
      return problem(documents[1].Mark(), "", "a second YAML document", "one file, one document");
    std::map<std::string, const Setting<Config>*> top;
    std::vector<std::string> known{"databases"};
    std::set<std::string> sections;
    for (const auto& setting : settings()) {
      top[setting.key] = &setting;
      const auto dot = setting.key.find('.');
      const std::string first = setting.key.substr(0, dot);
      if (dot != std::string::npos) sections.insert(first);
      if (std::find(known.begin(), known.end(), first) == known.end()) known.push_back(first);
    }
    for_each_key(documents[0], "", known, [&](const std::string& key, const YAML::Node& value, const YAML::Mark& mark) {
      if (key == "databases") {
        read_databases(value, mark);
      } else if (sections.contains(key)) {
        read_section(key, value, mark, top);
      } else {
        set(*top.at(key), result_.config, key, value, mark);
      }
    });
  } catch (const YAML::Exception& error) {
    if (const auto open = open_quote(text)) return unclosed(*open);
    problem(error.mark, "", "not valid YAML: " + error.msg, "check indentation and quotes around it");
  }

  // Calls `use` for every known key of a map, once; reports the others.
  template <class Use>
  void for_each_key(const YAML::Node& map, const std::string& prefix, const std::vector<std::string>& known, Use use) {
    if (map.IsNull()) return;  // a section of which everything is commented out
    if (!map.IsMap()) {
      return problem(map.Mark(), prefix, "expected keys with values, got " + kind(map),
                     "write 'key: value', one per line");
    }
    std::map<std::string, int> first_line;
    for (const auto& entry : map) {
      const YAML::Mark mark = entry.first.Mark();
      if (!entry.first.IsScalar()) {
        problem(mark, prefix, "a key must be a word, not " + kind(entry.first));
        continue;
      }
      const std::string key = entry.first.Scalar();
      const std::string full = joined(prefix, key);
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        problem(mark, full, "unknown key", unknown_key_hint(key, known));
      } else if (const auto [seen, fresh] = first_line.emplace(key, mark.line + 1); !fresh) {
        problem(mark, full, "duplicate key", "first given in line " + std::to_string(seen->second) + ", remove one");
      } else {
        use(key, entry.second, mark);
      }
    }
  }

  void read_section(const std::string& section, const YAML::Node& node, const YAML::Mark&,
                    const std::map<std::string, const Setting<Config>*>& all) {
    std::vector<std::string> known;
    for (const auto& [key, setting] : all) {
      if (key.starts_with(section + ".")) known.push_back(key.substr(section.size() + 1));
    }
    for_each_key(node, section, known, [&](const std::string& key, const YAML::Node& value, const YAML::Mark& mark) {
      set(*all.at(section + "." + key), result_.config, section + "." + key, value, mark);
    });
  }

  void read_databases(const YAML::Node& node, const YAML::Mark& mark) {
    if (!node.IsSequence()) {
      return problem(mark, "databases", "expected a list, got " + kind(node), "start each entry with '- dsn: ...'");
    }
    std::vector<std::string> known;
    for (const auto& setting : database_settings()) known.push_back(setting.key);
    for (std::size_t i = 0; i < node.size(); ++i) {
      const std::string prefix = "databases[" + std::to_string(i) + "]";
      DatabaseEntry database;
      for_each_key(node[i], prefix, known, [&](const std::string& key, const YAML::Node& value, const YAML::Mark& at) {
        const auto setting = std::find_if(database_settings().begin(), database_settings().end(),
                                          [&](const auto& s) { return s.key == key; });
        set(*setting, database, joined(prefix, key), value, at);
      });
      databases_.push_back(database);
      where_.push_back(path_ + ":" + std::to_string(node[i].Mark().line + 1));
    }
  }

  template <class Owner>
  void set(const Setting<Owner>& setting, Owner& owner, const std::string& key, const YAML::Node& value,
           const YAML::Mark& mark) {
    const bool takes_map = setting.show(Owner{}).starts_with('{');
    if (!value.IsScalar() && !(takes_map && value.IsMap())) {
      return problem(mark, key, "expected " + setting.type + ", got " + kind(value), "allowed: " + setting.range);
    }
    const std::string what = setting.set(owner, value.IsMap() ? flow_text(value) : value.Scalar());
    if (!what.empty()) problem(mark, key, what, "the default is '" + setting.show(Owner{}) + "'");
  }

  /// A map of scalars as it would be written in one line.
  static std::string flow_text(const YAML::Node& map) {
    std::string text;
    for (const auto& entry : map)
      text += (text.empty() ? "" : ", ") + entry.first.as<std::string>("?") + ": " + entry.second.as<std::string>("?");
    return "{" + text + "}";
  }

  static std::string kind(const YAML::Node& node) {
    switch (node.Type()) {
      case YAML::NodeType::Sequence:
        return "a list";
      case YAML::NodeType::Map:
        return "keys with values";
      case YAML::NodeType::Scalar:
        return "a single value";
      default:
        return "nothing";
    }
  }

  void apply_overrides() {
    apply("--http-port", "http.port", overrides_.http_port);
    apply("--log-level", "log.level", overrides_.log_level);
    apply("--log-levels", "log.levels", overrides_.log_levels);
    apply("--log-format", "log.format", overrides_.log_format);
    if (!overrides_.dsns.empty()) {
      databases_.clear();
      where_.clear();
      for (const auto& dsn : overrides_.dsns) {
        DatabaseEntry database;
        database.dsn = dsn;
        database.worker_dsn = overrides_.worker_dsn.value_or("");
        databases_.push_back(database);
        where_.emplace_back("--dsn");
      }
    }
    if (overrides_.worker_dsn && overrides_.dsns.empty()) {
      problem_at("--worker-dsn", "", "is for databases that --dsn names",
                 "write worker_dsn below databases in the file");
    }
    if (databases_.empty()) {
      databases_.emplace_back();
      where_.emplace_back("libpq environment");
    }
  }

  void apply(const std::string& flag, const std::string& key, const std::optional<std::string>& value) {
    if (!value) return;
    for (const auto& setting : settings()) {
      if (setting.key != key) continue;
      const std::string what = setting.set(result_.config, *value);
      if (!what.empty()) problem_at(flag, "", what, {});
    }
  }

  void complete_databases() {
    std::map<std::string, std::string> seen;
    for (std::size_t i = 0; i < databases_.size(); ++i) {
      DatabaseEntry& database = databases_[i];
      const auto normalized = postgres::merge_conninfo(database.dsn, {});
      if (!normalized) {
        problem_at(
            where_[i], "dsn", "not a valid connection string",
            "write 'host=... dbname=...' or 'postgresql://user@host/dbname'; it is not shown here because it may "
            "hold a password");
        continue;
      }
      if (!postgres::overlay_conninfo(database.dsn, database.worker_dsn)) {
        problem_at(where_[i], "worker_dsn", "not a valid connection string",
                   "write what is different from dsn, such as 'user=pgtrickle_worker'");
      }
      read_passwords(database, where_[i]);
      if (database.workers > database.pool_size) {
        problem_at(where_[i], "workers",
                   "larger than pool_size (" + std::to_string(database.workers) + " > " +
                       std::to_string(database.pool_size) + ")",
                   "a refresh needs a connection: raise pool_size");
      }
      // Names of discovered databases begin with that of their entry, if it has one.
      if (database.name.empty() && !database.discover) database.name = default_name(*normalized);
      if (const auto [other, fresh] = seen.emplace(database.name, where_[i]); !fresh) {
        const std::string what = database.name.empty() ? "a second entry without a name that is to be discovered"
                                                       : "a second database named '" + database.name + "'";
        problem_at(where_[i], "name", what, "the first is at " + other->second + "; give each a 'name' of its own");
      }
    }
  }

  void read_passwords(DatabaseEntry& database, const std::string& where) {
    const bool in_dsn = postgres::holds_secret(database.dsn);
    const bool in_worker_dsn = postgres::holds_secret(database.worker_dsn);
    result_.password_in_text = result_.password_in_text || in_dsn || in_worker_dsn;
    if (!database.worker_password_file.empty() && database.worker_dsn.empty()) {
      problem_at(where, "worker_password_file", "there is no worker_dsn that it could be for",
                 "write worker_dsn, such as 'user=pgtrickle_worker'");
      return;
    }
    read_password(database.password_file, in_dsn, database.dsn, where, "password_file");
    read_password(database.worker_password_file, in_worker_dsn, database.worker_dsn, where, "worker_password_file");
  }

  void read_password(const std::string& path, bool has_one, std::string& dsn, const std::string& where,
                     const std::string& key) {
    if (path.empty()) return;
    if (has_one) {
      problem_at(where, key, "the connection string has a password of its own", "remove one of them");
      return;
    }
    std::ifstream in(path, std::ios::binary);
    std::string password;
    char c = 0;
    while (password.size() <= kLongestPassword + 2 && in.get(c)) password += c;
    if (password.empty() && !in.eof()) {
      problem_at(where, key, path + " cannot be read: " + std::strerror(errno), {});
      return;
    }
    // Editors and `echo` end a file with a line break.
    if (password.ends_with('\n')) password.pop_back();
    if (password.ends_with('\r')) password.pop_back();
    if (password.empty() || password.size() > kLongestPassword ||
        password.find_first_of(std::string("\n\r\0", 3)) != std::string::npos) {
      problem_at(where, key, path + " does not hold one line with a password",
                 "write the password and nothing else into it");
      return;
    }
    // Both have been parsed before.
    if (auto complete = postgres::merge_conninfo(dsn, {{"password", password}})) dsn = std::move(*complete);
  }

  void check_combinations() {
    const Scheduler& scheduler = result_.config.scheduler;
    if (scheduler.retry_backoff_max < scheduler.retry_backoff_min) {
      problem_at(path_.empty() ? "configuration" : path_, "scheduler.retry_backoff_max",
                 "smaller than retry_backoff_min (" + format_duration(scheduler.retry_backoff_max) + " < " +
                     format_duration(scheduler.retry_backoff_min) + ")",
                 "raise it, or lower retry_backoff_min");
    }
  }

  std::string path_;
  const Overrides& overrides_;
  LoadResult result_;
  std::vector<DatabaseEntry> databases_;
  std::vector<std::string> where_;  // of each database, for messages
};

bool readable_by_all(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  return !error && (status.permissions() & std::filesystem::perms::others_read) != std::filesystem::perms::none;
}

}  // namespace

LoadResult load_text(const std::string& text, const std::string& path, const Overrides& overrides) {
  return Loader(path, overrides).run(text);
}

LoadResult load(const std::string& path, const Overrides& overrides) {
  if (path.empty()) return Loader(path, overrides).run({});
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return Loader(path, overrides).unreadable("it is a directory; give the path of the file in it");
  }
  std::ifstream in(path);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  if (!in || in.bad()) {
    return Loader(path, overrides).unreadable(std::string("cannot be read: ") + std::strerror(errno));
  }
  // Nobody means that; a file of comments is another matter.
  if (overrides.dsns.empty() && text.str().find_first_not_of(" \t\r\n") == std::string::npos) {
    return Loader(path + ":1", overrides)
        .unreadable("the file is empty; pgtrickled --print-sample-config prints one with every key and its default");
  }
  LoadResult result = Loader(path, overrides).run(text.str());
  if (overrides.dsns.empty() && readable_by_all(path) && result.password_in_text) {
    result.warnings.push_back(path +
                              ": everybody on this host can read it, and it holds a password; chmod 0640 it, or keep "
                              "the password in a password_file or in libpq's password file");
  }
  return result;
}

}  // namespace pgtrickle::config
