#include "drift/matrix.h"

#include <cctype>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <stdexcept>
#include <utility>

namespace pgt::test {
namespace {

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

/// The first word, and what follows it.
std::pair<std::string, std::string> split(const std::string& text, const std::string& separator) {
  const auto at = text.find(separator);
  if (at == std::string::npos) return {trimmed(text), {}};
  return {trimmed(text.substr(0, at)), trimmed(text.substr(at + separator.size()))};
}

Expectation expectation(const std::string& text) {
  using enum Expectation::Outcome;
  const auto [word, rest] = split(text, " ");
  if (word == "equals" && rest.empty()) return {kEquals, {}};
  if (word == "unchanged" && rest.empty()) return {kUnchanged, {}};
  if (word == "stops" && !rest.empty()) return {kStops, rest};
  if (word == "stalls" && !rest.empty()) return {kStalls, rest};
  if (word == "limit" && !rest.empty()) return {kLimit, rest};
  throw std::runtime_error("'" + text + "' is not 'equals', 'unchanged', 'stops REGEX', 'stalls REGEX' or 'limit WHY'");
}

/// Of one file, into the matrix of all.
class Reader {
 public:
  Reader(Matrix& matrix, std::string file) : matrix_(matrix), file_(std::move(file)) {}

  void read(std::istream& in) {
    std::string line;
    for (; std::getline(in, line); ++line_) take(line);
  }
  [[nodiscard]] std::string place() const { return file_ + ":" + std::to_string(line_); }

 private:
  void take(const std::string& line) {
    if (line.starts_with("-- ")) {
      section(line.substr(3));
    } else if (trimmed(line).empty() || line.starts_with("--")) {
      return;
    } else if (section_ == "rows") {
      line.starts_with("  ") ? amend(trimmed(line)) : row(line);
    } else if (section_ == "commands") {
      const auto [command, why] = split(line, " | ");
      if (why.empty()) throw std::runtime_error("an exempt command needs a reason");
      matrix_.exempt[command] = why;
    } else if (text_ != nullptr) {
      *text_ += line + "\n";
    } else {
      throw std::runtime_error("text outside of a section");
    }
  }

  // A comment that is none of these words is a comment.
  void section(const std::string& head) {
    const auto [word, rest] = split(head, " ");
    const std::map<std::string, std::string*> texts{{"setup", &world_.setup},
                                                    {"query", &world_.query},
                                                    {"other", &world_.other},
                                                    {"write", &world_.write},
                                                    {"teardown", &world_.teardown}};
    if (word == "world" && !rest.empty()) {
      world_ = World{};
      world_.name = rest;
    } else if (word == "owner") {
      world_.owner = rest;
      return;
    } else if (const auto text = texts.find(word); text != texts.end() && (rest.empty() || word == "query")) {
      text_ = text->second;
      text_->clear();
      if (!rest.empty()) world_.mode = rest;
    } else if ((word != "rows" && word != "commands") || !rest.empty()) {
      return;
    }
    section_ = word;
    if (word == "world" || word == "rows" || word == "commands") text_ = nullptr;
  }

  void row(const std::string& line) {
    Row row;
    row.world = world_;
    const auto [name, rest] = split(line, " | ");
    const auto [expected, statement] = split(rest, " | ");
    if (statement.empty()) throw std::runtime_error("a row is: name | expectation | statement");
    row.name = name;
    row.watched = row.unwatched = expectation(expected);
    row.statement = statement;
    row.write_after = world_.write;
    row.place = place();
    matrix_.rows.push_back(row);
  }

  void amend(const std::string& text) {
    if (matrix_.rows.empty()) throw std::runtime_error("this continues no row");
    Row& row = matrix_.rows.back();
    const auto [word, rest] = split(text, ":");
    const std::map<std::string, std::function<void()>> ways{
        {"more", [&] { row.statement += "\n" + rest; }},
        {"setup", [&] { row.world.setup += rest + "\n"; }},
        {"query", [&] { row.world.query = rest; }},
        {"mode", [&] { row.world.mode = rest; }},
        {"other", [&] { row.world.other = rest; }},
        {"write", [&] { row.world.write = row.write_after = rest; }},
        {"then", [&] { row.write_after = rest; }},
        {"cure", [&] { row.cure = rest; }},
        {"undo", [&] { row.undo = rest; }},
        {"unwatched", [&] { row.unwatched = expectation(rest); }},
        {"since", [&] { row.since = std::stoi(rest); }},
        {"alone", [&] { row.alone = true; }},
        {"daemon", [&] { row.with_daemon = true; }}};
    const auto way = ways.find(word);
    if (way == ways.end()) throw std::runtime_error("unknown '" + word + ":'");
    way->second();
  }

  Matrix& matrix_;
  std::string file_;
  World world_;
  std::string section_;
  std::string* text_ = nullptr;
  int line_ = 1;
};

}  // namespace

Matrix read_matrix(const std::string& folder) {
  std::set<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".sql") files.insert(entry.path());
  }
  Matrix matrix;
  for (const auto& file : files) {
    std::ifstream in(file);
    if (!in) throw std::runtime_error("cannot read " + file.string());
    Reader reader(matrix, file.filename().string());
    try {
      reader.read(in);
    } catch (const std::exception& error) {
      throw std::runtime_error(reader.place() + ": " + error.what());
    }
  }
  if (matrix.rows.empty()) throw std::runtime_error("no rows in " + folder);
  return matrix;
}

std::string identifier(const std::string& text) {
  std::string out;
  for (const unsigned char c : text) {
    if (std::isalnum(c) != 0) {
      out += static_cast<char>(c);
    } else if (!out.empty() && out.back() != '_') {
      out += '_';
    }
  }
  while (!out.empty() && out.back() == '_') out.pop_back();
  return out;
}

}  // namespace pgt::test
