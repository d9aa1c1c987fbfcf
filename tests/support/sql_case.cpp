#include "support/sql_case.h"

#include <fstream>
#include <regex>
#include <sstream>
#include <stdexcept>

namespace pgt::test {
namespace {

[[noreturn]] void fail(const std::string& path, int line, const std::string& what) {
  throw std::runtime_error(path + ":" + std::to_string(line) + ": " + what);
}

std::string rest_of(std::istream& words) {
  std::string rest;
  std::getline(words >> std::ws, rest);
  return rest;
}

}  // namespace

bool can_be_undone(const std::string& step) {
  static const std::regex kDdl("\\b(CREATE|ALTER|DROP|GRANT|REVOKE|pgtrickle\\.)", std::regex::icase);
  static const std::regex kNotInATransaction("\\b(BEGIN|COMMIT|ROLLBACK|VACUUM|CONCURRENTLY|PREPARE|CALL)\\b",
                                             std::regex::icase);
  return !std::regex_search(step, kDdl) && !std::regex_search(step, kNotInATransaction);
}

SqlCase read_sql_case(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw std::runtime_error(path + ": cannot be read");
  SqlCase result;
  result.path = path;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    std::istringstream words(line);
    std::string dashes, word;
    words >> dashes >> word;
    const bool directive = dashes == "--";
    const auto need_section = [&]() -> SqlSection& {
      if (result.sections.empty()) fail(path, number, "'-- " + word + "' before the first section");
      return result.sections.back();
    };

    if (directive && (word == "setup" || word == "query" || word == "step")) {
      SqlSection section;
      section.line = number;
      if (word == "query") {
        section.kind = SqlSection::Kind::kQuery;
        words >> section.name;
        if (section.name.empty()) fail(path, number, "'-- query' needs the name of a stream table");
        if (std::string mode; words >> mode) section.mode = mode;
      } else {
        section.kind = word == "setup" ? SqlSection::Kind::kSetup : SqlSection::Kind::kStep;
        section.name = rest_of(words);
      }
      result.sections.push_back(section);
    } else if (directive && word == "refresh") {
      const std::string how = rest_of(words);
      if (how != "call" && how != "function") fail(path, number, "'-- refresh' is 'call' or 'function'");
      result.refresh = how == "call" ? SqlCase::Refresh::kCall : SqlCase::Refresh::kFunction;
    } else if (directive && word == "group") {
      result.group = rest_of(words);
    } else if (directive && (word == "feature" || word == "cost" || word == "role" || word == "before-server")) {
      SqlSection& section = need_section();
      if (section.kind != SqlSection::Kind::kQuery) fail(path, number, "'-- " + word + "' belongs to a '-- query'");
      if (word == "feature") section.features.push_back(rest_of(words));
      if (word == "cost") section.costs.push_back(rest_of(words));
      if (word == "role") section.role = rest_of(words);
      if (word == "before-server" && !(words >> section.before_server))
        fail(path, number, "'-- before-server' needs a major version");
    } else if (directive && word == "expect-mode") {
      SqlSection& section = need_section();
      if (section.kind != SqlSection::Kind::kQuery) fail(path, number, "'-- expect-mode' belongs to a '-- query'");
      section.expect_mode = rest_of(words);
    } else if (directive && word == "expect-error") {
      need_section().expect_error = rest_of(words);
    } else if (directive && word.starts_with("expect")) {
      fail(path, number, "unknown directive '-- " + word + "'");
    } else if (!result.sections.empty()) {
      result.sections.back().text += line + "\n";
    } else if (line.find_first_not_of(" \t\r") != std::string::npos && !line.starts_with("--")) {
      fail(path, number, "SQL before the first section");
    }
  }
  bool has_query = false;
  for (const auto& section : result.sections) has_query |= section.kind == SqlSection::Kind::kQuery;
  if (!has_query) throw std::runtime_error(path + ": no '-- query' section");
  return result;
}

}  // namespace pgt::test
