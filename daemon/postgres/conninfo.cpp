#include "postgres/conninfo.h"

#include <libpq-fe.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <memory>
#include <optional>

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

namespace {

bool is_space(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}

std::size_t skip_spaces(std::string_view text, std::size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at;
}

/// Where a value of a connection string ends: after its quote, or before a space, an & or a quote of the text around.
std::size_t end_of_value(std::string_view text, std::size_t at) {
  if (at < text.size() && text[at] == '\'') {
    for (++at; at < text.size(); ++at) {
      if (text[at] == '\\') {
        ++at;
      } else if (text[at] == '\'') {
        return at + 1;
      }
    }
    return text.size();
  }
  while (at < text.size() && !is_space(text[at]) && text[at] != '&' && text[at] != '"') ++at;
  return at;
}

/// If a value of a password begins at or after `at`, as in password = value: where. `at` is behind the keyword.
std::optional<std::size_t> value_after_keyword(std::string_view text, std::size_t at) {
  at = skip_spaces(text, at);
  if (at == text.size() || text[at] != '=') return std::nullopt;
  at = skip_spaces(text, at + 1);
  return end_of_value(text, at) == at ? std::nullopt : std::optional(at);
}

/// If a password begins at or after `at`, as in ://user:password@: where. `at` is behind the slashes.
std::optional<std::size_t> password_of_uri(std::string_view text, std::size_t at) {
  while (at < text.size() && !is_space(text[at]) && text[at] != ':' && text[at] != '/' && text[at] != '@') ++at;
  return at < text.size() && text[at] == ':' ? std::optional(at + 1) : std::nullopt;
}

bool begins(std::string_view text, std::size_t at, std::string_view lower_case) {
  return at + lower_case.size() <= text.size() &&
         std::equal(lower_case.begin(), lower_case.end(), text.begin() + static_cast<std::ptrdiff_t>(at),
                    [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
}

}  // namespace

// By hand: the text is as long as somebody makes it, and std::regex recurses for each character.
std::string redact_text(std::string_view text) {
  constexpr std::string_view kKeyword = "password";
  constexpr std::string_view kScheme = "://";
  std::string shown;
  std::size_t done = 0;
  auto hide = [&](std::size_t begin, std::size_t end) {
    shown.append(text.substr(done, begin - done)).append("***");
    done = end;
  };
  for (std::size_t at = 0; at < text.size();) {
    std::size_t next = at + 1;
    if (begins(text, at, kKeyword)) {
      if (const auto value = value_after_keyword(text, at + kKeyword.size()))
        hide(*value, next = end_of_value(text, *value));
    } else if (begins(text, at, kScheme)) {
      if (const auto password = password_of_uri(text, at + kScheme.size())) {
        std::size_t end = *password;
        while (end < text.size() && !is_space(text[end]) && text[end] != '@') ++end;
        if (end < text.size() && text[end] == '@') hide(*password, next = end);
      }
    }
    at = next;
  }
  return shown.append(text.substr(done));
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
