#include "property/reduce_query.h"

#include <algorithm>
#include <cctype>
#include <set>

namespace pgt::property {
namespace {

struct Token {
  std::string text;
  std::size_t match = 0;  // of a parenthesis: where its partner is
  bool open = false;
  bool close = false;
};

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || (static_cast<unsigned char>(c) & 0x80U) != 0;
}

std::vector<Token> tokens_of(const std::string& sql) {
  std::vector<Token> tokens;
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < sql.size();) {
    const char c = sql[i];
    std::size_t end = i + 1;
    if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      ++i;
      continue;
    }
    if (c == '\'' || c == '"') {
      while (end < sql.size() && (sql[end] != c || (end + 1 < sql.size() && sql[end + 1] == c)))
        end += sql[end] == c ? 2 : 1;
      ++end;
    } else if (is_word(c)) {
      while (end < sql.size() &&
             (is_word(sql[end]) || (sql[end] == '.' && std::isdigit(static_cast<unsigned char>(c)) != 0)))
        ++end;
    } else if (std::string("+-*/<>=~!@#%^&|?:").find(c) != std::string::npos) {
      while (end < sql.size() && std::string("+-*/<>=~!@#%^&|?:").find(sql[end]) != std::string::npos) ++end;
    }
    Token token{sql.substr(i, end - i)};
    token.open = c == '(' || c == '[';
    token.close = c == ')' || c == ']';
    if (token.open) open.push_back(tokens.size());
    if (token.close && !open.empty()) {
      token.match = open.back();
      tokens[open.back()].match = tokens.size();
      open.pop_back();
    }
    tokens.push_back(token);
    i = end;
  }
  return tokens;
}

class Reducer {
 public:
  explicit Reducer(const std::string& sql) : tokens_(tokens_of(sql)) {}

  std::vector<std::string> candidates() {
    group(0, tokens_.size(), true);
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (!tokens_[i].open || tokens_[i].match == 0) continue;
      const std::size_t end = tokens_[i].match;
      const bool query = i + 1 < end && (tokens_[i + 1].text == "SELECT" || tokens_[i + 1].text == "WITH");
      group(i + 1, end, query);
      if (query) add(0, i + 1, end, tokens_.size(), {});                          // the subquery alone
      add(i, i + 1, end, end + 1, {});                                            // without parentheses
      if (i > 0 && is_word(tokens_[i - 1].text.back())) add(i - 1, i, i, i, {});  // without the function around it
    }
    std::stable_sort(found_.begin(), found_.end(),
                     [](const auto& left, const auto& right) { return left.size() < right.size(); });
    return std::move(found_);
  }

 private:
  [[nodiscard]] bool separates(std::size_t i) const {
    static const std::set<std::string> kWords = {
        "AND",    "OR",        "NOT",     "FROM",  "WHERE",        "GROUP",     "HAVING",   "ORDER",   "LIMIT",
        "OFFSET", "FETCH",     "UNION",   "ALL",   "JOIN",         "LEFT",      "RIGHT",    "FULL",    "INNER",
        "OUTER",  "CROSS",     "ON",      "USING", "NATURAL",      "WITH",      "AS",       "FILTER",  "WITHIN",
        "CASE",   "WHEN",      "THEN",    "ELSE",  "END",          "SELECT",    "DISTINCT", "IS",      "BY",
        "EXCEPT", "INTERSECT", "DESC",    "ASC",   "NULLS",        "EXISTS",    "IN",       "LATERAL", "COLLATE",
        "AT",     "LIKE",      "BETWEEN", "ROWS",  "MATERIALIZED", "SYMMETRIC", "ESCAPE"};
    const std::string& text = tokens_[i].text;
    const char first = text[0];
    return text == "," || kWords.count(text) != 0 ||
           (!is_word(first) && std::string("'\".()[]").find(first) == std::string::npos);
  }

  void group(std::size_t begin, std::size_t end, bool query) {
    std::vector<std::size_t> bounds = {begin};
    std::size_t order = end;
    bool limited = false;
    bool ties = false;  // then the order need not be total
    for (std::size_t i = begin; i < end; ++i) {
      if (tokens_[i].open && tokens_[i].match > i) {
        bounds.push_back(i);
        i = tokens_[i].match;
        bounds.push_back(i + 1);
        continue;
      }
      const std::string& text = tokens_[i].text;
      if (text == "ORDER" && order == end) order = i;
      ties = ties || text == "TIES";
      if (text == "LIMIT" || text == "OFFSET" || text == "FETCH") limited = true;
      if (separates(i)) {
        bounds.push_back(i);
        bounds.push_back(i + 1);
      }
    }
    bounds.push_back(end);
    std::sort(bounds.begin(), bounds.end());
    bounds.erase(std::unique(bounds.begin(), bounds.end()), bounds.end());
    const bool on =
        query && begin + 2 < end && tokens_[begin + 1].text == "DISTINCT" && tokens_[begin + 2].text == "ON";
    for (std::size_t a = 0; a < bounds.size(); ++a) {
      for (std::size_t b = a + 1; b < bounds.size(); ++b) {
        const std::size_t from = bounds[a];
        const std::size_t to = bounds[b];
        if (order < end && to > order) {
          // A part of the order decides what the rest of it orders, so all of it or nothing, and what needs it as well.
          const bool after =
              !ties && from > order && tokens_[from].text != "," && limited && is_limit(from, order, end);
          const bool whole = from <= order && to == end && query && !(on && from > begin);
          if (!after && !whole && !(from == begin && to == end)) continue;
        }
        add(0, from, to, tokens_.size(), {}, true);
        if (b == a + 1 || to - from > 4) {
          add(0, from, to, tokens_.size(), "true", true);
          if (to - from > 1) {
            add(0, from, to, tokens_.size(), "NULL", true);
            add(0, from, to, tokens_.size(), "1", true);
          }
        }
      }
    }
  }

  /// Whether LIMIT, OFFSET or FETCH stands between the order and `from`, or at it.
  [[nodiscard]] bool is_limit(std::size_t from, std::size_t order, std::size_t end) const {
    for (std::size_t i = order; i <= from && i < end; ++i) {
      const std::string& text = tokens_[i].text;
      if (text == "LIMIT" || text == "OFFSET" || text == "FETCH") return true;
    }
    return false;
  }

  /// Keeps [keep_from, from) and [to, keep_to) if `around`, else leaves out both of [keep_from, from) and [to,
  /// keep_to).
  void add(std::size_t keep_from, std::size_t from, std::size_t to, std::size_t keep_to, const std::string& instead,
           bool around = false) {
    std::string sql;
    auto write = [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) append(sql, tokens_[i].text);
    };
    if (around) {
      write(0, from);
      if (!instead.empty()) append(sql, instead);
      write(to, tokens_.size());
    } else {
      write(0, keep_from);
      write(from, to);
      write(keep_to, tokens_.size());
    }
    if (!sql.empty() && seen_.insert(sql).second) found_.push_back(sql);
  }

  static void append(std::string& sql, const std::string& token) {
    const bool tight =
        sql.empty() || token == "." || token == "," || token == ")" || token == "]" || token == "[" || token == "::" ||
        sql.back() == '(' || sql.back() == '[' || sql.back() == '.' ||
        (sql.size() > 1 && sql.compare(sql.size() - 2, 2, "::") == 0) ||
        (token == "(" && is_word(sql.back()) && std::islower(static_cast<unsigned char>(sql.back())) != 0);
    sql += (tight ? "" : " ") + token;
  }

  std::vector<Token> tokens_;
  std::vector<std::string> found_;
  std::set<std::string> seen_;
};

}  // namespace

std::vector<std::string> smaller_queries(const std::string& sql) {
  return Reducer(sql).candidates();
}

}  // namespace pgt::property
