#include "compiler/sql/sql_text.h"

#include <pg_query.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <set>
#include <stdexcept>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "pg_query.pb.h"

namespace pgtrickle::compiler {

namespace {

/// The keywords that the server's quote_ident() quotes: all but the unreserved ones. Every keyword is a token of its
/// own name, some with _P: the scanner says which of the tokens' names are keywords.
std::unordered_set<std::string> reserved_words() {
  std::string words;
  const auto* tokens = pg_query::Token_descriptor();
  for (int i = 0; i < tokens->value_count(); ++i) {
    std::string word = tokens->value(i)->name();
    if (word.size() > 2 && word.compare(word.size() - 2, 2, "_P") == 0) word.resize(word.size() - 2);
    for (const unsigned char c : word) words += static_cast<char>(std::tolower(c));
    words += ' ';
  }
  PgQueryScanResult result = pg_query_scan(words.c_str());
  const std::unique_ptr<PgQueryScanResult, void (*)(PgQueryScanResult*)> guard(
      &result, [](PgQueryScanResult* r) { pg_query_free_scan_result(*r); });
  if (result.error != nullptr) throw std::logic_error("cannot scan the keywords");
  pg_query::ScanResult scan;
  scan.ParseFromArray(result.pbuf.data, static_cast<int>(result.pbuf.len));
  std::unordered_set<std::string> reserved;
  for (const auto& token : scan.tokens())
    if (token.keyword_kind() != pg_query::NO_KEYWORD && token.keyword_kind() != pg_query::UNRESERVED_KEYWORD)
      reserved.insert(
          words.substr(static_cast<std::size_t>(token.start()), static_cast<std::size_t>(token.end() - token.start())));
  return reserved;
}

bool is_reserved(const std::string& word) {
  static const auto reserved = reserved_words();
  return reserved.count(word) != 0;
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
  if (plain && !is_reserved(name)) return name;
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

std::vector<std::string> prefixed(const std::vector<std::string>& names, const std::string& prefix) {
  std::vector<std::string> result;
  result.reserve(names.size());
  for (const auto& name : names) result.push_back(prefix + name);
  return result;
}

void append_indented(std::string& to, const std::string& text, std::size_t spaces) {
  char quote = 0;  // a line break inside a literal or a quoted name is part of it
  const auto is_quoted_after = [&quote](std::string_view line) {
    // Programs are indented often, and most lines have no quote: two searches for one are cheaper than a loop.
    if (line.find('\'') != line.npos || line.find('"') != line.npos) {
      for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (quote == 0 && line.substr(i, 2) == "--") break;  // what a comment names may have a quote
        if (c != '\'' && c != '"') continue;
        if (quote == 0)
          quote = c;
        else if (quote == c)
          quote = 0;  // a doubled quote closes and opens again
      }
    }
    return quote != 0;
  };
  std::size_t at = 0;
  for (std::size_t end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    to.append(text, at, end + 1 - at);
    const bool quoted = is_quoted_after({text.data() + at, end - at});
    const bool empty = end + 1 < text.size() && text[end + 1] == '\n';
    if (!quoted && !empty) to.append(spaces, ' ');
  }
  to.append(text, at);
}

std::string indent(const std::string& text, int spaces) {
  std::string result;
  result.reserve(text.size() + text.size() / 4);
  append_indented(result, text, static_cast<std::size_t>(spaces));
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
  std::unordered_map<std::string, int> next;  // suffix to try: the ones before are taken
  std::vector<std::string> names;
  for (const auto& want : wanted) {
    std::string base = want.empty() || want == "?column?" ? "column" : want;
    std::string name = base;
    while (!used.insert(name).second) name = with_suffix(base, "_" + std::to_string(++next[base]));
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
