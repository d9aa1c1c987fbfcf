#include "config/command_line.h"

#include <CLI/CLI.hpp>
#include <iostream>

#include "config/manual.h"

namespace pgtrickle::config {

CommandLineResult parse_command_line(int argc, const char* const* argv) {
  CommandLineResult result;
  CommandLine& line = result.command_line;
  CLI::App app{"pgtrickled keeps the stream tables of PostgreSQL databases fresh."};
  app.set_version_flag("--version", "pgtrickled " PGTRICKLE_VERSION);
  app.add_option("--config", line.config_path, "YAML file (see --print-sample-config)")->type_name("FILE");
  // One value per flag: by default CLI11 would take every word that follows.
  app.add_option("--dsn", line.overrides.dsns, "libpq connection string; repeat it for several databases")
      ->type_name("DSN")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--worker-dsn", line.overrides.worker_dsn,
                 "what is different for sessions that run refreshes, for example user=pgtrickle_worker")
      ->type_name("DSN");
  app.add_option("--http-port", line.overrides.http_port, "port of /metrics and /health; 0 = off")->type_name("PORT");
  app.add_option("--log-level", line.overrides.log_level, "trace, debug, info, warn, error, critical, off");
  app.add_option("--log-levels", line.overrides.log_levels, "levels of single topics, such as 'refresh: debug'");
  app.add_option("--log-format", line.overrides.log_format, "text, json");
  app.add_flag("--check-config", line.check_config, "check the configuration and exit: 0 = good, 2 = not");
  app.add_flag("--print-sample-config", line.print_sample_config, "print a file with every key and its default");
  app.add_flag("--print-config-docs", line.print_config_docs, "print docs/CONFIGURATION.md");
  app.add_flag("--print-metrics-docs", line.print_metrics_docs, "print docs/METRICS.md");
  app.add_flag("--print-alerts-docs", line.print_alerts_docs, "print docs/ALERTS.md");
  app.add_flag("--print-status-docs", line.print_status_docs, "print docs/STATUS.md");
  app.add_flag("--print-error-docs", line.print_error_docs, "print docs/ERRORS.md");
  app.add_flag("--print-error-sql", line.print_error_sql, "print sql/29_error_register.sql");
  app.add_flag("--print-option-sql", line.print_option_sql, "print sql/49_table_options.sql");
  app.add_flag("--print-agreements", line.print_agreements, "print sql/05_agreements.sql");
  app.footer(
      "Without --dsn and databases in the file, libpq's environment variables and service files say where to connect.\n"
      "Exit codes: 0 = ended by a signal or asked to print; 1 = failed; 2 = wrong flags or configuration.");
  add_printing_flags(app, {"pgtrickled", 8, "keeps the stream tables of PostgreSQL databases fresh", "pgtrickle(1)"},
                     "pgtrickle " PGTRICKLE_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    result.exit_code = app.exit(error) == 0 ? 0 : 2;
  }
  return result;
}

}  // namespace pgtrickle::config
