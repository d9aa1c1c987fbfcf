#include "cli/commands.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "catalog/builder.h"
#include "cli/install_sql.h"
#include "cli/table.h"
#include "postgres/blocking_error.h"
#include "postgres/installation.h"

namespace pgtrickle::cli {
namespace {

using nlohmann::ordered_json;

constexpr int kLooks = 60;  // at a new stream table, 50 ms apart

std::string installed_version(Database& db) {
  const auto found = db.run(postgres::kWhoseInstallation)[0];
  if (!found["installed"].as<bool>()) return {};
  if (found["superuser"].as<bool>() && !found["stranger"].is_null())
    throw Failure("pgtrickle in database \"" + std::string(db.connection().dbname()) + "\" belongs to role \"" +
                  found["stranger"].c_str() +
                  "\": a superuser who calls it gives that role the server\nHINT:  Connect as that role, or have a "
                  "superuser install pgtrickle.");
  return db.run("SELECT pgtrickle.version()")[0][0].as<std::string>();
}

void require_installed(Database& db) {
  if (!installed_version(db).empty()) return;
  throw Failure("pgtrickle is not installed in database \"" + std::string(db.connection().dbname()) +
                "\"\nHINT:  Run: pgtrickle install");
}

std::string text_of(const pqxx::field& field, const std::string& if_null = {}) {
  return field.is_null() ? if_null : field.c_str();
}

// Words in a comment of a line.
std::string in_a_line(std::string words) {
  std::replace_if(
      words.begin(), words.end(), [](unsigned char c) { return c < ' '; }, ' ');
  return words;
}

// A line of its own if the database is paused, else nothing.
std::string pause_line(Database& db) {
  const auto rows = db.run(
      "SELECT concat_ws(': ', 'paused by ' || c.paused_by, c.reason) FROM pgtrickle.pgt_control c WHERE c.paused");
  return rows.empty() ? "" : "refreshing is " + text_of(rows[0][0]) + "\n";
}

// The line under the table: is anybody keeping the stream tables fresh?
std::string daemon_line(Database& db) {
  const auto rows = db.run(
      "SELECT host, pid, is_leader, extract(epoch FROM clock_timestamp() - heartbeat_at)::float8 "
      "FROM pgtrickle.pgt_daemons WHERE heartbeat_at > clock_timestamp() - pgtrickle._heartbeat_expiry() "
      "ORDER BY is_leader DESC, instance");
  if (rows.empty()) return "no daemon is running for this database: start pgtrickled";
  std::string text;
  for (const auto& row : rows) {
    text += (text.empty() ? "daemon: " : "; ") + text_of(row[0], "?") + " pid " + text_of(row[1], "?") +
            (row[2].as<bool>() ? ", leader" : ", standby") + ", heartbeat " + format_seconds(row[3].as<double>()) +
            " ago";
  }
  return text;
}

// ", tier => 'hot', ..." for a call.
std::string arguments(Database& db, const TableOptions& options) {
  std::string text;
  for (const auto& [parameter, value] : options) text += ", " + parameter + " => " + db.connection().quote(value);
  return text;
}

// The number of a stream table, as text; fails as the API does if there is none of this name.
std::string id_of(pqxx::transaction_base& tx, const std::string& name) {
  return tx.exec_params("SELECT (pgtrickle._find($1, pg_catalog.current_setting('search_path'))).pgt_id", name)[0][0]
      .c_str();
}

std::string id_of(Database& db, const std::string& name) {
  pqxx::nontransaction tx(db.connection());
  return id_of(tx, name);
}

bool is_stream_table(Database& db, const std::string& name) {
  return db
      .run(
          "SELECT EXISTS (SELECT FROM pgtrickle._target($1, pg_catalog.current_setting('search_path')) AS t\n"
          "JOIN pgtrickle.pgt_stream_tables s ON s.pgt_relid = t.existing)",
          name)[0][0]
      .as<bool>();
}

// Runs what hands `query` to the server; an error says where in the query it is, if that is known.
template <class Work>
void with_place(Database& db, const std::string& query, Work work) {
  try {
    work();
  } catch (const pqxx::failure& failure) {
    auto error = postgres::error_of(failure);
    if (error.origin == postgres::ErrorOrigin::kConnection || !error.place.empty()) throw;
    error.place = place_of_error(db, query);
    if (error.place.empty()) throw;
    throw Failure(error_text(error));
  }
}

// After creating a stream table: what the daemon makes of it. Waits for that, but not for long.
std::string what_became_of(Database& db, const std::string& name) {
  const std::string id = id_of(db, name);
  for (int i = 0;; ++i) {
    const auto row = db.run(
        "SELECT s.status, s.refresh_mode, s.effective_refresh_mode, s.reason, s.last_error, s.last_error_hint, "
        "pgtrickle._daemon_alive() AS alive FROM pgtrickle.stream_tables s WHERE s.pgt_id = $1",
        id)[0];
    const std::string status = row["status"].c_str();
    if (status == "ERROR") {
      return "it cannot be built: " + text_of(row["last_error"], "unknown error") +
             (row["last_error_hint"].is_null() ? "" : std::string("\nHINT:  ") + row["last_error_hint"].c_str());
    }
    if (status == "ACTIVE") {
      if (std::string(row["effective_refresh_mode"].c_str()) != "FULL") return "mode DIFFERENTIAL: changes are applied";
      const std::string why =
          std::string(row["refresh_mode"].c_str()) == "FULL" ? "it was asked for" : text_of(row["reason"], "unknown");
      return "mode FULL: every refresh recomputes the query, because " + why;
    }
    if (!row["alive"].as<bool>()) return "no daemon is running for this database: start pgtrickled, which builds it";
    if (i == kLooks) return "the daemon still builds it: see pgtrickle status";
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

}  // namespace

namespace {

/// The role that the daemon's worker sessions log in as: made if it is missing, and made known to this database.
void use_worker_role(Database& db, const std::string& role) {
  pqxx::work tx(db.connection());
  const bool exists = !tx.exec_params("SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = $1", role).empty();
  if (!exists) tx.exec("CREATE ROLE " + tx.quote_name(role) + " LOGIN");
  tx.exec_params("SELECT pgtrickle.use_worker_role($1)", role);
  tx.commit();
  std::cout << (exists ? "role \"" : "created role \"") << role
            << "\" for worker sessions: set worker_dsn to user=" << role << ", and let it log in (pg_hba.conf)\n";
}

}  // namespace

int install(Database& db, bool as_extension, const std::string& worker_role) {
  const std::string database = db.connection().dbname();
  if (const auto version = installed_version(db); !version.empty()) {
    std::cout << "pgtrickle " << version << " is already installed in database \"" << database << "\"\n";
    if (!worker_role.empty()) use_worker_role(db, worker_role);
    return kOk;
  }
  {
    pqxx::work tx(db.connection());
    tx.exec(as_extension ? std::string("CREATE EXTENSION pg_trickle") : std::string(install_sql()));
    tx.commit();
  }
  std::cout << "installed pgtrickle " << installed_version(db) << " in database \"" << database << "\""
            << (as_extension ? " as extension pg_trickle" : "") << "\n";
  if (!worker_role.empty()) use_worker_role(db, worker_role);
  return kOk;
}

int uninstall(Database& db) {
  const std::string database = db.connection().dbname();
  if (installed_version(db).empty()) {
    std::cout << "pgtrickle is not installed in database \"" << database << "\"\n";
    return kOk;
  }
  pqxx::work tx(db.connection());
  tx.exec("SET LOCAL client_min_messages = warning");
  const bool extension = !tx.exec("SELECT FROM pg_extension WHERE extname = 'pg_trickle'").empty();
  tx.exec(extension ? "DROP EXTENSION pg_trickle CASCADE"
                    : "DROP SCHEMA pgtrickle, pgtrickle_changes, pgtrickle_state, pgtrickle_locks CASCADE");
  tx.exec("DROP SCHEMA IF EXISTS pgtrickle, pgtrickle_changes, pgtrickle_state, pgtrickle_locks CASCADE");
  tx.commit();
  std::cout << "removed pgtrickle from database \"" << database << "\"; stream tables stay as ordinary tables\n";
  return kOk;
}

int create(Database& db, const CreateOptions& options) {
  require_installed(db);
  const std::string function = options.if_exists == IfExists::kLeave     ? "create_stream_table_if_not_exists"
                               : options.if_exists == IfExists::kReplace ? "create_or_replace_stream_table"
                                                                         : "create_stream_table";
  const bool existed = options.if_exists != IfExists::kFail && is_stream_table(db, options.name);
  with_place(db, options.query, [&] {
    db.run("SELECT pgtrickle." + function + "($1, $2, schedule => $3, refresh_mode => $4, initialize => $5" +
               arguments(db, options.table) + ")",
           options.name, options.query, options.schedule, options.mode, options.initialize);
  });
  if (options.wait) db.run("SELECT pgtrickle.wait_until_active($1, $2::interval)", options.name, *options.wait);
  if (existed && options.if_exists == IfExists::kLeave) {
    std::cout << "stream table " << options.name << " exists already and stays as it is\n";
    return kOk;
  }
  std::cout << (existed ? "replaced" : "created") << " stream table " << options.name
            << (options.wait ? ", it is active" : "") << "\n";
  std::cout << what_became_of(db, options.name) << "\n";
  return kOk;
}

int drop(Database& db, const std::vector<std::string>& names, bool cascade) {
  require_installed(db);
  pqxx::work tx(db.connection());
  for (const auto& name : names) tx.exec_params("SELECT pgtrickle.drop_stream_table($1, $2)", name, cascade);
  tx.commit();
  for (const auto& name : names) std::cout << "dropped stream table " << name << "\n";
  return kOk;
}

int alter(Database& db, const AlterOptions& options) {
  require_installed(db);
  const auto or_null = [](const std::optional<std::string>& text) { return text ? text->c_str() : nullptr; };
  with_place(db, options.query.value_or(""), [&] {
    db.run("SELECT pgtrickle.alter_stream_table($1, query => $2, schedule => $3, refresh_mode => $4, status => $5" +
               arguments(db, options.table) + ")",
           options.name, or_null(options.query), or_null(options.schedule), or_null(options.mode),
           or_null(options.status));
  });
  std::cout << "altered stream table " << options.name << "\n";
  return kOk;
}

int adopt(Database& db, const AdoptOptions& options) {
  require_installed(db);
  const char* const mode = options.mode ? options.mode->c_str() : nullptr;
  if (options.dry_run) {
    const auto steps =
        options.undo ? db.run("SELECT * FROM pgtrickle.undo_adopt_plan($1)", options.name)
                     : db.run("SELECT * FROM pgtrickle.adopt_plan($1, $2, $3)", options.name, options.schedule, mode);
    bool refused = false;
    for (const auto& step : steps) {
      const std::string action = text_of(step["action"]);
      const std::string remark = text_of(step["remark"]);
      refused = refused || action == "refuse";
      std::cout << in_a_line("-- " + action + ": " + text_of(step["object"]) + (remark.empty() ? "" : ": " + remark))
                << "\n";
      if (!step["statement"].is_null()) std::cout << step["statement"].c_str() << ";\n";
    }
    return refused ? kFailed : kOk;
  }
  if (options.undo) {
    db.run("SELECT pgtrickle.undo_adopt($1)", options.name);
    std::cout << options.name << " is what it was\n";
    return kOk;
  }
  db.run("SELECT pgtrickle.adopt($1, $2, $3)", options.name, options.schedule, mode);
  std::cout << options.name << " is a stream table, with the rows that it had until it is built\n"
            << daemon_line(db) << "\n";
  return kOk;
}

int refresh(Database& db, const std::vector<std::string>& names) {
  require_installed(db);
  for (const auto& name : names) {
    // A procedure that ends its transactions itself: it must be a statement of its own.
    db.run("CALL pgtrickle.refresh(" + db.connection().quote(name) + ")");
    std::cout << "refreshed stream table " << name << "\n";
  }
  return kOk;
}

int status(Database& db, const StatusOptions& options) {
  require_installed(db);
  std::string filter;
  for (const auto& name : options.names) filter += (filter.empty() ? "" : ", ") + id_of(db, name);
  if (!filter.empty()) filter = " WHERE pgt_id IN (" + filter + ")";

  if (options.json) {
    const auto text =
        db.run("SELECT coalesce(json_agg(t ORDER BY name), '[]') FROM (SELECT * FROM pgtrickle.stream_tables" + filter +
               ") t")[0][0]
            .as<std::string>();
    std::cout << ordered_json::parse(text).dump(2) << "\n";
  }
  const auto rows = db.run(
      "SELECT name, status, refresh_mode, effective_refresh_mode, schedule, extract(epoch FROM staleness)::float8, "
      "rows, "
      "total_refreshes, last_duration_ms, concat_ws('; ', "
      "CASE WHEN status IN ('ERROR', 'SUSPENDED') THEN last_error "
      "|| coalesce(' (tried again ' || date_trunc('second', retry_at) || ')', '') WHEN needs_reinit THEN reinit_reason "
      "WHEN effective_refresh_mode = 'FULL' AND refresh_mode = 'AUTO' THEN reason END, "
      "CASE WHEN needs_reinit OR status IN ('PENDING', 'INITIALIZING') "
      "THEN 'in its way: ' || pgtrickle._build_blockers(ARRAY[pgt_id]) END, "
      "CASE WHEN fuse_blown_at IS NOT NULL THEN 'its fuse is blown' END, "
      "CASE WHEN skipped_at IS NOT NULL THEN 'changes were skipped' END, 'held: ' || held, "
      "CASE WHEN slo_violated THEN 'older than its max_staleness' END), "
      "status = 'ACTIVE' AND fuse_blown_at IS NULL AND skipped_at IS NULL AND slo_violated IS NOT TRUE "
      "FROM pgtrickle.stream_tables" +
      filter + " ORDER BY name");
  bool all_well = true;
  std::vector<std::vector<std::string>> cells;
  for (const auto& row : rows) {
    all_well &= row[10].as<bool>();
    cells.push_back({text_of(row[0]), text_of(row[1]), text_of(row[3], text_of(row[2])), text_of(row[4]),
                     row[5].is_null() ? "-" : format_seconds(row[5].as<double>()), text_of(row[6], "-"),
                     text_of(row[7], "0"), row[8].is_null() ? "-" : format_seconds(row[8].as<double>() / 1000),
                     text_of(row[9])});
  }
  if (!options.json) {
    if (cells.empty()) {
      std::cout << "no stream tables\n";
    } else {
      std::cout << format_table({{"NAME"},
                                 {"STATUS"},
                                 {"MODE"},
                                 {"SCHEDULE"},
                                 {"STALENESS", true},
                                 {"ROWS", true},
                                 {"REFRESHES", true},
                                 {"LAST", true},
                                 {"NOTE"}},
                                cells, options.width);
    }
    std::cout << pause_line(db) << daemon_line(db) << "\n";
  }
  return options.check && !all_well ? kSpecial : kOk;
}

int explain(Database& db, const std::string& name, bool sql) {
  require_installed(db);
  std::cout << db.run("SELECT pgtrickle._explain_stream_table($1, current_setting('search_path'), $2)", name, sql)[0][0]
                   .as<std::string>()
            << "\n";
  return kOk;
}

namespace {

enum class Verdict { kEqual, kDiffers, kNotChecked };

Verdict not_checked(const std::string& name, const std::string& why) {
  std::cout << name << ": not checked: " << why << std::endl;
  return Verdict::kNotChecked;
}

// "message; detail; hint" of an error, in a line.
std::string in_a_line(const postgres::Error& error) {
  std::string text = error.message;
  for (const auto& more : {error.detail, error.hint}) text += more.empty() ? "" : "; " + more;
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

Verdict verify_one(Database& db, const std::string& name, bool refresh_first, bool standby) try {
  bool pending = false;
  pqxx::result rows;
  if (standby) {
    pqxx::transaction<pqxx::repeatable_read> snapshot(db.connection());
    pending = !snapshot.exec_params("SELECT pgtrickle._is_fresh($1)", id_of(snapshot, name))[0][0].as<bool>();
    rows = snapshot.exec_params("SELECT missing, extra FROM pgtrickle.verify_stream_table($1, false)", name);
  } else {
    rows = db.run("SELECT missing, extra FROM pgtrickle.verify_stream_table($1, $2)", name, refresh_first);
  }
  const auto missing = rows[0][0].as<long long>(), extra = rows[0][1].as<long long>();
  if (missing == 0 && extra == 0) {
    std::cout << name << ": equals its query" << std::endl;
    return Verdict::kEqual;
  }
  const std::string rows_text = std::to_string(missing) + " rows missing, " + std::to_string(extra) + " rows too many";
  if (pending && refresh_first)
    return not_checked(name, "it differs from its query (" + rows_text +
                                 "), but changes are pending, and a standby cannot apply them");
  std::cout << name << ": differs from its query: " << rows_text << std::endl;
  return Verdict::kDiffers;
} catch (const pqxx::failure& failure) {
  const auto error = postgres::error_of(failure);
  if (error.origin == postgres::ErrorOrigin::kConnection) throw;
  return not_checked(name, in_a_line(error));
}

}  // namespace

int verify(Database& db, const std::vector<std::string>& names, bool refresh_first) {
  require_installed(db);
  const bool standby = db.run("SELECT pg_catalog.pg_is_in_recovery()")[0][0].as<bool>();
  bool differs = false, unchecked = false;
  const auto note = [&](Verdict verdict) {
    differs |= verdict == Verdict::kDiffers;
    unchecked |= verdict == Verdict::kNotChecked;
  };
  for (const auto& name : names) note(verify_one(db, name, refresh_first, standby));
  if (names.empty()) {
    for (const auto& row : db.run("SELECT name, status FROM pgtrickle.stream_tables ORDER BY name")) {
      const std::string name = row[0].c_str(), status = row[1].c_str();
      note(status == "ACTIVE" ? verify_one(db, name, refresh_first, standby)
                              : not_checked(name, "its status is " + status));
    }
  }
  return differs ? kFailed : unchecked ? kSpecial : kOk;
}

const std::vector<std::string>& program_parts() {
  static const std::vector<std::string> parts{"refresh", "apply", "look", "node"};
  return parts;
}

namespace {

/// Whether a statement makes this part of a program, or says who may use it: what it is about stands in its first line
/// that is no comment.
bool is_of_part(const std::string& statement, const std::string& part) {
  std::size_t begin = 0;
  while (statement.compare(begin, 2, "--") == 0) begin = statement.find('\n', begin) + 1;
  const std::string line = statement.substr(begin, statement.find('\n', begin) - begin);
  const auto names = part == "node" ? std::vector<std::string>{"node", "delta", "groups"} : std::vector{part};
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return line.find("pgtrickle_state." + name + "_") != std::string::npos;
  });
}

std::string sql_text(const std::vector<std::string>& statements, const std::string& only) {
  std::string text;
  for (const auto& statement : statements)
    if (only.empty() || is_of_part(statement, only)) text += statement + ";\n\n";
  return text;
}

}  // namespace

int validate(Database& db, const std::string& query, bool immediate, bool json, bool sql, bool trace,
             const std::string& only) {
  require_installed(db);
  const auto result = catalog::validate_query(db.conninfo(), query, {}, trace, immediate);
  if (json) {
    const ordered_json body{{"ok", result.ok},
                            {"effective_mode", result.effective_mode},
                            {"reason", result.reason},
                            {"hint", result.hint},
                            {"plan", result.plan},
                            {"trace", result.trace},
                            {"sql", sql_text(result.statements, only)}};
    std::cout << body.dump(2, ' ', false, ordered_json::error_handler_t::replace) << "\n";
  } else if (!result.ok) {
    postgres::Error error;
    error.message = result.reason;
    error.place = place_of_error(db, query);
    error.hint = result.hint;
    throw Failure(error_text(error));
  } else if (!only.empty()) {
    std::cout << sql_text(result.statements, only);
  } else {
    std::cout << "mode: " << result.effective_mode << (result.reason.empty() ? "" : " (" + result.reason + ")") << "\n";
    if (!result.hint.empty()) std::cout << "hint: " << result.hint << "\n";
    if (!result.trace.empty()) std::cout << "\n" << result.trace;
    if (!result.plan.empty()) std::cout << "\n" << result.plan << "\n";
    if (sql) std::cout << "\n" << sql_text(result.statements, {}) << "\n";
  }
  if (!result.ok) return kFailed;
  return result.effective_mode == "FULL" ? kSpecial : kOk;
}

int wait(Database& db, const std::vector<std::string>& names, const std::string& timeout) {
  require_installed(db);
  for (const auto& name : names) {
    db.run("SELECT pgtrickle.wait_until_active($1, $2::interval)", name, timeout);
    std::cout << name << " is active\n";
  }
  return kOk;
}

int export_definitions(Database& db, const std::vector<std::string>& names) {
  require_installed(db);
  std::string ids;
  for (const auto& name : names) ids += (ids.empty() ? "" : ",") + id_of(db, name);
  const auto all = db.run(
      "SELECT s.pgt_id, s.name, pgtrickle._may_manage(c.oid) AS own FROM pgtrickle.stream_tables s\n"
      "JOIN pg_catalog.pg_class c ON c.oid = pgtrickle._resolve(s.name, '') ORDER BY s.name");
  std::size_t of_others = 0;
  for (const auto& row : all) of_others += row["own"].as<bool>() ? 0U : 1U;
  if (names.empty() && of_others > 0)
    std::cerr << "not exported: " << of_others << " stream tables of roles that you are no member of\n";
  for (const auto& name : names)
    db.run("SELECT pgtrickle._find_own($1, pg_catalog.current_setting('search_path'))", name);
  const auto script = names.empty() ? db.run("SELECT pgtrickle.export_definitions()")
                                    : db.run("SELECT pgtrickle._export($1::bigint[], false)", "{" + ids + "}");
  std::cout << "-- Stream tables of database \"" << in_a_line(db.connection().dbname())
            << "\", exported by pgtrickle " PGTRICKLE_VERSION ".\n"
            << "-- Run it with: pgtrickle import FILE, or: psql -1 -v ON_ERROR_STOP=1 -f FILE. It can run again.\n\n"
            << "SET client_encoding = "
            << db.connection().quote(db.run("SELECT pg_catalog.current_setting('client_encoding')")[0][0].c_str())
            << ";\n\n"
            << text_of(script[0][0]);
  return kOk;
}

int import_definitions(Database& db, const std::string& script) {
  require_installed(db);
  pqxx::work tx(db.connection());
  const auto before = tx.exec("SELECT count(*) FROM pgtrickle.pgt_stream_tables")[0][0].as<long long>();
  tx.exec(script);
  const auto after = tx.exec("SELECT count(*) FROM pgtrickle.pgt_stream_tables")[0][0].as<long long>();
  tx.commit();
  std::cout << "imported: " << after - before << " new stream tables\n" << daemon_line(db) << "\n";
  return kOk;
}

int version(Database* db) {
  std::cout << "pgtrickle " PGTRICKLE_VERSION "\n";
  if (db == nullptr) return kOk;
  const auto installed = installed_version(*db);
  std::cout << "database \"" << db->connection().dbname()
            << "\": " << (installed.empty() ? "not installed" : "pgtrickle " + installed) << ", PostgreSQL "
            << db->run("SHOW server_version")[0][0].c_str() << "\n";
  return kOk;
}

}  // namespace pgtrickle::cli
