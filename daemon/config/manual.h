// Manual pages and shell completions of a command line, from the same table that --help prints: CLI::App.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace pgtrickle::config {

struct Manual {
  std::string name;      // of the program
  int section = 1;       // of the manual: 1 = commands, 8 = administration
  std::string summary;   // half a sentence
  std::string see_also;  // such as "pgtrickled(8)"
};

/// In the language of man(7). `date`: YYYY-MM-DD.
std::string man_page(const CLI::App& app, const Manual& manual, const std::string& version, const std::string& date);

/// `shell`: bash, zsh or fish.
std::string completion(const CLI::App& app, const std::string& program, const std::string& shell);

/// Adds --print-man and --print-completion SHELL, which --help does not show. They end parse() as --version does. The
/// date of the page is today's, or what SOURCE_DATE_EPOCH says: two builds of one revision make the same page.
void add_printing_flags(CLI::App& app, const Manual& manual, const std::string& version);

}  // namespace pgtrickle::config
