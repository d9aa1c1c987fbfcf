#include "compiler/generate/sql_text.h"

#include <pg_query.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <set>

#include "pg_query.pb.h"

namespace pgtrickle::compiler {

namespace {

/// True for the keywords that the server's quote_ident() quotes: all but the unreserved ones.
bool is_keyword(const std::string& word) {
  // Every keyword is a token of its own name, some with _P: what is none needs no scanner.
  std::string token;
  for (const unsigned char c : word) token += static_cast<char>(std::toupper(c));
  const auto* tokens_known = pg_query::Token_descriptor();
  if (tokens_known->FindValueByName(token) == nullptr && tokens_known->FindValueByName(token + "_P") == nullptr)
    return false;
  PgQueryScanResult result = pg_query_scan(word.c_str());
  const std::unique_ptr<PgQueryScanResult, void (*)(PgQueryScanResult*)> guard(
      &result, [](PgQueryScanResult* r) { pg_query_free_scan_result(*r); });
  if (result.error != nullptr) return true;  // quoting is always right
  pg_query::ScanResult tokens;
  tokens.ParseFromArray(result.pbuf.data, static_cast<int>(result.pbuf.len));
  return tokens.tokens_size() != 1 || (tokens.tokens(0).keyword_kind() != pg_query::NO_KEYWORD &&
                                       tokens.tokens(0).keyword_kind() != pg_query::UNRESERVED_KEYWORD);
}

/// Cuts at a character boundary so that `suffix` still fits into a 63-byte name.
std::string with_suffix(const std::string& base, const std::string& suffix) {
  constexpr std::size_t kMaxName = 63;
  std::size_t length = std::min(base.size(), kMaxName - suffix.size());
  while (length > 0 && length < base.size() && (static_cast<unsigned char>(base[length]) & 0xC0U) == 0x80U) --length;
  return base.substr(0, length) + suffix;
}

}  // namespace

std::string quote_ident(const std::string& name) {
  const bool plain = !name.empty() && (std::islower(static_cast<unsigned char>(name[0])) != 0 || name[0] == '_') &&
                     std::all_of(name.begin(), name.end(), [](unsigned char c) {
                       return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
                     });
  if (plain && !is_keyword(name)) return name;
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string quote_literal(const std::string& text) {
  const bool escape = text.find('\\') != std::string::npos;
  std::string quoted = escape ? "E'" : "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += c;
    quoted += c;
  }
  return quoted + '\'';
}

std::string qualified(const std::string& schema, const std::string& name) {
  return quote_ident(schema) + '.' + quote_ident(name);
}

std::string join(const std::vector<std::string>& parts, const std::string& separator) {
  std::string result;
  for (const auto& part : parts) {
    if (!result.empty()) result += separator;
    result += part;
  }
  return result;
}

std::string indent(const std::string& text, int spaces) {
  std::string result;
  char quote = 0;  // a line break inside a literal or a quoted name is part of it
  for (const char c : text) {
    if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;  // a doubled quote closes and opens again
    }
    result += c;
    if (c == '\n' && quote == 0) result.append(static_cast<std::size_t>(spaces), ' ');
  }
  return result;
}

std::string one_line(std::string text, std::size_t bytes) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  if (text.size() <= bytes) return text;
  std::size_t at = bytes;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) --at;  // not inside a UTF-8 sequence
  return text.substr(0, at) + " ...";
}

std::vector<std::string> unique_names(const std::vector<std::string>& wanted) {
  std::set<std::string> used{"w", "run"};
  std::vector<std::string> names;
  for (const auto& want : wanted) {
    std::string base = want.empty() || want == "?column?" ? "column" : want;
    std::string name = base;
    for (int n = 1; !used.insert(name).second; ++n) name = with_suffix(base, "_" + std::to_string(n));
    names.push_back(std::move(name));
  }
  return names;
}

std::string plain_name(const std::string& text) {
  std::string name;
  for (const unsigned char c : text) {
    if (name.size() >= 40) break;
    if (std::isalnum(c) != 0 && c < 128) {
      name += static_cast<char>(std::tolower(c));
    } else if (!name.empty() && name.back() != '_') {
      name += '_';
    }
  }
  while (!name.empty() && name.back() == '_') name.pop_back();
  return name.empty() ? "x" : name;
}

}  // namespace pgtrickle::compiler
