#include "postgres/conninfo.h"

#include <libpq-fe.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <regex>

namespace pgtrickle::postgres {
namespace {

using Options = std::map<std::string, std::string>;

bool is_secret(std::string_view keyword) {
  return keyword == "password" || keyword == "sslpassword";
}

Result<Options> parse(const std::string& conninfo) {
  char* message = nullptr;
  std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(PQconninfoParse(conninfo.c_str(), &message),
                                                                       &PQconninfoFree);
  if (!options) {
    std::string text = message != nullptr ? redact_text(message) : "out of memory";
    PQfreemem(message);
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return connecting_error("invalid connection string: " + text);
  }
  Options out;
  for (const PQconninfoOption* o = options.get(); o->keyword != nullptr; ++o) {
    if (o->val != nullptr) out[o->keyword] = o->val;
  }
  return out;
}

std::string quote(std::string_view value) {
  std::string out = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string join(const Options& options) {
  std::string out;
  for (const auto& [keyword, value] : options) {
    if (!out.empty()) out += ' ';
    out += keyword + "=" + quote(value);
  }
  return out;
}

}  // namespace

Result<std::string> merge_conninfo(const std::string& conninfo, const Options& overrides, const Options& defaults) {
  auto options = parse(conninfo);
  if (!options) return options.error();
  options->insert(defaults.begin(), defaults.end());
  for (const auto& [keyword, value] : overrides) {
    if (keyword == "options") {
      std::string theirs;
      if (const auto found = options->find("options"); found != options->end()) {
        theirs = found->second;
      } else if (const char* environment = std::getenv("PGOPTIONS"); environment != nullptr) {
        theirs = environment;
      }
      std::string& ours = (*options)["options"] = value;
      if (!theirs.empty()) ours.append(" ").append(theirs);
    } else {
      (*options)[keyword] = value;
    }
  }
  return join(*options);
}

Result<std::string> overlay_conninfo(const std::string& conninfo, const std::string& others) {
  auto options = parse(conninfo);
  if (!options) return options.error();
  const auto overlay = parse(others);
  if (!overlay) return overlay.error();
  if (overlay->contains("user")) {
    options->erase("password");
    options->erase("service");  // it may name a user and a password too
  }
  for (const auto& [keyword, value] : *overlay) (*options)[keyword] = value;
  return join(*options);
}

std::string conninfo_target(const std::string& conninfo) {
  auto options = parse(conninfo);
  if (!options) return {};
  if (!options->contains("service")) {  // a service would go before the defaults, and only libpq reads it
    std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> defaults(PQconndefaults(), &PQconninfoFree);
    for (const PQconninfoOption* o = defaults.get(); o != nullptr && o->keyword != nullptr; ++o) {
      if (o->val != nullptr) options->emplace(o->keyword, o->val);
    }
    options->emplace("dbname", (*options)["user"]);
  }
  Options target;
  for (const char* keyword : {"host", "hostaddr", "port", "dbname", "service"}) {
    if (const auto found = options->find(keyword); found != options->end()) target.insert(*found);
  }
  return join(target);
}

bool holds_secret(const std::string& conninfo) {
  const auto options = parse(conninfo);
  if (!options) return false;
  return std::any_of(options->begin(), options->end(), [](const auto& option) { return is_secret(option.first); });
}

std::string redact_conninfo(const std::string& conninfo) {
  auto options = parse(conninfo);
  if (!options) return "(unreadable connection string)";
  for (auto& [keyword, value] : *options) {
    if (is_secret(keyword)) value = "***";
  }
  return join(*options);
}

std::string redact_text(std::string_view text) {
  static const std::regex assignment(R"((password\s*=\s*)('(\\.|[^'\\])*'?|[^\s&"]+))", std::regex::icase);
  static const std::regex uri(R"((://[^:/@\s]*:)[^@\s]*@)");
  const std::string once = std::regex_replace(std::string(text), assignment, "$1***");
  return std::regex_replace(once, uri, "$1***@");
}

std::string option(std::string_view name, std::string_view value) {
  std::string out = "-c " + std::string(name) + "=";
  for (const char c : value) {
    if (c == ' ' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace pgtrickle::postgres
