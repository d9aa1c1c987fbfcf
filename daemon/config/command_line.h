// The flags of pgtrickled.
#pragma once

#include <optional>
#include <string>

#include "config/load.h"

namespace pgtrickle::config {

struct CommandLine {
  std::string config_path;  // empty: none
  Overrides overrides;
  bool check_config = false;
  bool print_sample_config = false;
  bool print_config_docs = false;
  bool print_metrics_docs = false;
  bool print_alerts_docs = false;
  bool print_status_docs = false;
  bool print_error_docs = false;
  bool print_error_sql = false;
  bool print_agreements = false;
  bool print_option_sql = false;
};

struct CommandLineResult {
  CommandLine command_line;
  std::optional<int> exit_code;  // set: end now (--help, --version: 0; wrong flags: 2); what to say was printed
};

CommandLineResult parse_command_line(int argc, const char* const* argv);

}  // namespace pgtrickle::config
