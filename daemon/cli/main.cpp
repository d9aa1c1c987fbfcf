// pgtrickle: the command line tool. Parses arguments, connects, runs one command of commands.h, and prints errors.
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>

#include "cli/commands.h"
#include "model/table_options.h"
#include "postgres/blocking_error.h"
#include "postgres/conninfo.h"

namespace {

namespace cli = pgtrickle::cli;

constexpr const char* kFooter =
    "Without --dsn, libpq's environment variables (PGHOST, PGDATABASE, ...) and service files say where to connect.\n"
    "Names are SQL names: schema.table, quoted with double quotes where SQL needs it.\n"
    "Exit codes: 0 done; 1 failed (verify: rows differ; validate: rejected in every mode); 2 wrong arguments;\n"
    "3 validate: FULL only; verify: none differs, but some could not be checked; status --check: one is not ACTIVE, or "
    "not as\n"
    "fresh as it promises, its fuse is blown, or changes were skipped.";

// A query from its argument, a file, or standard input.
struct QuerySource {
  std::string text, file;

  void add_to(CLI::App& app) {
    app.add_option("-q,--query", text, "the query");
    app.add_option("-f,--file", file, "read the query from a file; - is standard input")->excludes("--query");
  }

  [[nodiscard]] bool given() const { return !text.empty() || !file.empty(); }

  [[nodiscard]] std::string read() const {
    if (!text.empty()) return text;
    if (file.empty() || file == "-") return {std::istreambuf_iterator<char>(std::cin), {}};
    std::ifstream in(file);
    if (!in) throw cli::Failure("cannot read " + file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

// Options that create and alter share.
void add_table_options(CLI::App& app, cli::TableOptions& options) {
  for (const auto& option : pgtrickle::table_option_register()) {
    if (option.kind == pgtrickle::OptionKind::kArgument || option.flag.empty()) continue;
    app.add_option_function<std::string>(
        option.flag, [&options, name = option.name](const std::string& value) { options[name] = value; },
        option.flag_help);
  }
}

std::size_t terminal_width() {
  winsize size{};
  if (::isatty(1) == 0 || ::ioctl(1, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

int run(int argc, char** argv) {
  CLI::App app{
      "pgtrickle manages stream tables: tables that hold the result of a query and are kept fresh by pgtrickled."};
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();  // --dsn may stand behind the command
  std::string dsn;
  app.add_option("--dsn", dsn, "libpq connection string or URI")->type_name("DSN");
  app.set_version_flag("--version", "pgtrickle " PGTRICKLE_VERSION);

  std::function<int()> command;
  const auto on = [&command](CLI::App* sub, std::function<int()> what) {
    sub->callback([&command, what = std::move(what)] { command = what; });
  };
  const auto connect = [&dsn] { return cli::Database(dsn); };

  bool as_extension = false;
  auto* install = app.add_subcommand("install", "Install pgtrickle in a database (nothing happens if it is there).");
  install->add_flag("--extension", as_extension, "CREATE EXTENSION pg_trickle instead of the plain script");
  std::string worker_role;
  install
      ->add_option("--worker-role", worker_role,
                   "role that the daemon's worker sessions log in as (docs/SECURITY.md); created if it is missing")
      ->type_name("ROLE");
  on(install, [&] {
    auto db = connect();
    return cli::install(db, as_extension, worker_role);
  });

  bool yes = false;
  auto* uninstall = app.add_subcommand("uninstall", "Remove pgtrickle; stream tables stay as ordinary tables.");
  uninstall->add_flag("--yes", yes, "yes, really")->required();
  on(uninstall, [&] {
    auto db = connect();
    return cli::uninstall(db);
  });

  cli::CreateOptions creation;
  QuerySource source;
  bool no_initialize = false, if_not_exists = false, replace = false;
  auto* create = app.add_subcommand("create", "Create a stream table; the query comes from --query, --file or stdin.");
  create->add_option("name", creation.name, "the stream table")->required();
  source.add_to(*create);
  const auto argument = [](const char* name) -> const pgtrickle::TableOption& { return pgtrickle::table_option(name); };
  const auto &new_schedule = argument("schedule"), &new_mode = argument("refresh_mode"),
             &initialize = argument("initialize"), &new_status = argument("status");
  create->add_option(new_schedule.flag, creation.schedule, new_schedule.flag_help)->capture_default_str();
  create->add_option(new_mode.flag, creation.mode, new_mode.flag_help)->capture_default_str();
  create->add_flag(initialize.flag, no_initialize, initialize.flag_help);
  create->add_flag("--if-not-exists", if_not_exists, "do nothing if it exists");
  create->add_flag("--or-replace", replace, "change it if it exists; recreate it if that is not enough")
      ->excludes("--if-not-exists");
  add_table_options(*create, creation.table);
  create->add_option("--wait", creation.wait, "return when the daemon keeps it fresh, or fail after this interval")
      ->type_name("INTERVAL");
  on(create, [&] {
    creation.query = source.read();
    creation.initialize = !no_initialize;
    if (if_not_exists) creation.if_exists = cli::IfExists::kLeave;
    if (replace) creation.if_exists = cli::IfExists::kReplace;
    auto db = connect();
    return cli::create(db, creation);
  });

  std::vector<std::string> names;
  bool cascade = false;
  auto* drop = app.add_subcommand("drop", "Drop stream tables.");
  drop->add_option("name", names, "the stream tables")->required();
  drop->add_flag("--cascade", cascade, "also drop the stream tables that read them");
  on(drop, [&] {
    auto db = connect();
    return cli::drop(db, names, cascade);
  });

  cli::AlterOptions changes;
  QuerySource new_query;
  auto* alter = app.add_subcommand("alter", "Change query, schedule, mode, status or options of a stream table.");
  alter->add_option("name", changes.name, "the stream table")->required();
  new_query.add_to(*alter);
  alter->add_option(new_schedule.flag, changes.schedule, new_schedule.flag_help);
  alter->add_option(new_mode.flag, changes.mode, new_mode.flag_help);
  alter->add_option(new_status.flag, changes.status, new_status.flag_help);
  add_table_options(*alter, changes.table);
  on(alter, [&] {
    if (new_query.given()) changes.query = new_query.read();
    if (!changes.query && !changes.schedule && !changes.mode && !changes.status && changes.table.empty()) {
      std::cerr << "alter: nothing to change: give --query, --schedule, --mode, --status, --tier or another option\n";
      return cli::kUsage;
    }
    auto db = connect();
    return cli::alter(db, changes);
  });

  auto* refresh = app.add_subcommand("refresh", "Refresh stream tables now.");
  refresh->add_option("name", names, "the stream tables")->required();
  on(refresh, [&] {
    auto db = connect();
    return cli::refresh(db, names);
  });

  cli::StatusOptions shown;
  auto* status = app.add_subcommand("status", "Show stream tables and the daemon.");
  status->add_option("name", shown.names, "only these");
  status->add_flag("--json", shown.json, "all columns of pgtrickle.stream_tables as JSON");
  status->add_flag("--check", shown.check, "exit code 3 unless all are well");
  on(status, [&] {
    shown.width = terminal_width();
    auto db = connect();
    return cli::status(db, shown);
  });

  std::string name;
  auto* explain =
      app.add_subcommand("explain", "Show everything about a stream table: mode and why, who reads it, plan.");
  explain->add_option("name", name, "the stream table")->required();
  bool sql = false;
  explain->add_flag("--sql", sql, "also the SQL that refreshes it");
  on(explain, [&] {
    auto db = connect();
    return cli::explain(db, name, sql);
  });

  bool no_refresh = false;
  auto* verify = app.add_subcommand(
      "verify",
      "Compare stream tables with their queries; exit code 1 if rows differ, 3 if some could not be checked.");
  verify->add_option("name", names, "the stream tables; all if none is given");
  verify->add_flag("--no-refresh", no_refresh, "do not refresh first: changes not yet applied count as differences");
  on(verify, [&] {
    auto db = connect();
    return cli::verify(db, names, !no_refresh);
  });

  bool json = false;
  auto* validate = app.add_subcommand(
      "validate", "Compile a query and print mode, plan and cost classes; creates nothing. Exit code 3: FULL only.");
  source.add_to(*validate);
  validate->add_flag("--json", json, "as JSON");
  validate->add_flag("--sql", sql, "also the SQL that would refresh it");
  bool trace = false;
  validate->add_flag("--trace", trace, "also the operator tree after each pass of the compiler");
  std::string only;
  validate->add_option("--only", only, "nothing but the SQL of one part: refresh, apply, look, node (its state)")
      ->check(CLI::IsMember(cli::program_parts()));
  std::string mode = "AUTO";
  validate->add_option("--mode", mode, "AUTO, or IMMEDIATE: also what writers lock, and where triggers go")
      ->check(CLI::IsMember({"AUTO", "IMMEDIATE"}))
      ->capture_default_str();
  on(validate, [&] {
    const std::string query = source.read();
    auto db = connect();
    return cli::validate(db, query, mode == "IMMEDIATE", json, sql, trace, only);
  });

  std::string timeout = "60 s";
  auto* wait = app.add_subcommand("wait", "Wait until the daemon has built stream tables.");
  wait->add_option("name", names, "the stream tables")->required();
  wait->add_option("--timeout", timeout, "an interval, for each")->capture_default_str();
  on(wait, [&] {
    auto db = connect();
    return cli::wait(db, names, timeout);
  });

  cli::AdoptOptions adoption;
  auto* adopt = app.add_subcommand(
      "adopt",
      "Make a materialized view a stream table of the same name, with all that is on it. Exit code 1 of --dry-run: "
      "something is in the way.");
  adopt->add_option("name", adoption.name, "the materialized view, also one of pg_ivm")->required();
  adopt->add_flag("--dry-run", adoption.dry_run, "print the steps, change nothing");
  adopt->add_flag("--undo", adoption.undo, "make a stream table that was adopted what it was");
  adopt->add_option(new_schedule.flag, adoption.schedule, new_schedule.flag_help)->capture_default_str();
  adopt->add_option(new_mode.flag, adoption.mode, new_mode.flag_help);
  on(adopt, [&] {
    auto db = connect();
    return cli::adopt(db, adoption);
  });

  auto* exporting = app.add_subcommand(
      "export", "Print SQL that recreates stream tables, with what is on them: indexes, grants, comments, ...");
  exporting->add_option("name", names, "the stream tables; all, and their groups, if none is given");
  on(exporting, [&] {
    auto db = connect();
    return cli::export_definitions(db, names);
  });

  std::string script = "-";
  auto* importing = app.add_subcommand("import", "Run what export has printed, in one transaction.");
  importing->add_option("file", script, "the file; - is standard input")->capture_default_str();
  on(importing, [&] {
    QuerySource from;
    from.file = script;
    auto db = connect();
    return cli::import_definitions(db, from.read());
  });

  auto* version = app.add_subcommand("version", "Print the version of this tool, and with --dsn of the database.");
  on(version, [&] {
    if (dsn.empty()) return cli::version(nullptr);
    auto db = connect();
    return cli::version(&db);
  });

  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    // CLI11 only says that a command is missing, also when one was given that does not exist.
    if (app.get_subcommands().empty() && !app.remaining().empty()) {
      std::cerr << "unknown command '" << app.remaining().front() << "'\nRun with --help for more information.\n";
      return cli::kUsage;
    }
    app.exit(error);
    return cli::kUsage;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? cli::kOk : cli::kUsage;
  }
  return command();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const pqxx::failure& error) {
    std::cerr << cli::error_text(pgtrickle::postgres::error_of(error)) << "\n";
  } catch (const std::exception& error) {
    std::cerr << pgtrickle::postgres::redact_text(error.what()) << "\n";
  }
  return cli::kFailed;
}
