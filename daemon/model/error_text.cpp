// What is made from the register of errors: a document for people, and the functions that SQL asks.
#include <string>
#include <vector>

#include "model/error_register.h"

namespace pgtrickle {
namespace {

constexpr std::size_t kWidth = 116;

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
    text.replace(at, what.size(), with);
  return text;
}

/// A remedy as people read it, with words in the place of names.
std::string for_people(std::string_view remedy) {
  std::string text = replaced(std::string(remedy), "%1$L", "'name'");
  text = replaced(text, "%2$I", "OWNER");
  return replaced(text, "%3$I", "ADMIN");
}

/// Text as a literal of SQL, in as many parts on lines of their own as it needs.
std::string literal(std::string_view text, const std::string& indent) {
  std::string out, line = "'";
  std::string rest = replaced(std::string(text), "'", "''");
  for (std::size_t at = 0; at < rest.size();) {
    std::size_t end = rest.find(' ', at);
    end = end == std::string::npos ? rest.size() : end + 1;
    if (indent.size() + line.size() + end - at >= kWidth) {
      out += line + "'\n" + indent;
      line = "'";
    }
    line += rest.substr(at, end - at);
    at = end;
  }
  return out + line + "'";
}

/// Conditions, each of which would do, with line breaks where the line is full.
std::string any_of(const std::vector<std::string>& conditions) {
  const std::string indent(12, ' ');
  std::string out, line = "        WHEN ";
  for (const auto& condition : conditions) {
    const std::string more = (&condition == &conditions.front() ? "" : " OR ") + condition;
    if (line.size() + more.size() > kWidth) {
      out += line + "\n";
      line = indent + "  ";
    }
    line += more;
  }
  return out + line;
}

/// What is to be done for all SQLSTATEs of one answer.
struct Case {
  std::string answer;
  std::vector<std::string> conditions;
};

void add(std::vector<Case>& cases, std::string_view answer, const std::string& condition) {
  for (Case& c : cases) {
    if (c.answer == answer) return c.conditions.push_back(condition);
  }
  cases.push_back({std::string(answer), {condition}});
}

std::string text_of(const std::vector<Case>& cases) {
  const std::string indent(12, ' ');
  std::string out;
  for (const Case& c : cases) {
    const std::string condition = any_of(c.conditions), answer = literal(c.answer, indent);
    const auto last_line = condition.size() - (condition.rfind('\n') == std::string::npos ? 0 : condition.rfind('\n'));
    const bool short_enough = last_line + std::string(" THEN ").size() + answer.size() < kWidth;
    out += condition + " THEN" + (short_enough ? " " : "\n" + indent) + answer + "\n";
  }
  return out;
}

/// A CASE over the register: what `answer` says about each SQLSTATE. Rows that say what their class of SQLSTATEs says
/// anyway are left out.
template <typename Answer>
std::string case_of(Answer answer) {
  const std::string otherwise(answer(""));
  std::vector<Case> rows, classes;
  for (const ConditionInfo& row : condition_register()) {
    std::string_view of_class = otherwise;
    for (const SqlstateClassInfo& c : sqlstate_class_register()) {
      if (std::string_view(row.sqlstate).starts_with(c.prefix)) of_class = answer(c.prefix);
    }
    if (answer(row.sqlstate) != of_class) add(rows, answer(row.sqlstate), "code = '" + std::string(row.sqlstate) + "'");
  }
  for (const SqlstateClassInfo& c : sqlstate_class_register()) {
    if (answer(c.prefix) != otherwise) add(classes, answer(c.prefix), "code LIKE '" + std::string(c.prefix) + "%'");
  }
  const std::string rest = literal(otherwise, std::string(13, ' '));
  return "    SELECT CASE\n" + text_of(rows) + text_of(classes) + "        ELSE " + rest + " END\n";
}

std::string function(const std::string& name, const std::string& type, const std::string& body) {
  return "CREATE FUNCTION pgtrickle." + name + "(code text) RETURNS " + type +
         "\nLANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$\n" + body +
         "$$;\nGRANT EXECUTE ON FUNCTION pgtrickle." + name + " TO PUBLIC;\n";
}

std::string curable() {
  std::string out = "    SELECT coalesce(left(code, 2) IN (";
  for (const auto prefix : kClassesThatABuildMayCure)
    out += (prefix == kClassesThatABuildMayCure.front() ? "'" : ", '") + std::string(prefix) + "'";
  return out + ") AND code <> '" + sqlstate_of(Condition::kInsufficientPrivilege) + "', false)\n";
}

}  // namespace

std::string error_sql() {
  return R"(-- What kind of error a SQLSTATE is, and what to do about it.
-- This file is generated from daemon/model/error_register.cpp: pgtrickled --print-error-sql > sql/29_error_register.sql

-- The error class: docs/ERRORS.md says what the daemon does about each.
)" +
         function("_error_class", "text",
                  case_of([](std::string_view code) { return to_string(classify_sqlstate(code)); })) +
         R"(
-- What to do about an error of a stream table, for format(): %1$L the stream table, %2$I its owner, %3$I the admin.
)" + function("_error_remedy", "text", case_of(remedy_of)) +
         R"(
-- A build of a stream table that stopped so may help it, a refresh will not: an expression may have failed for a row
-- that is gone again, or in the program alone. A missing right is not cured so.
)" + function("_build_may_cure", "boolean", curable());
}

std::string error_docs() {
  std::string out = R"(# Errors

This file is generated: `pgtrickled --print-error-docs`, from daemon/model/error_register.cpp. Tests compare that register
with the SQLSTATEs that SQL and the daemon raise.

`pgtrickle.diagnose_errors('name')` shows the errors of a stream table with class and remedy.

## Classes of errors

The SQLSTATE of an error decides what the daemon does. A *build* that fails is tried again by itself if the error is retryable
or in doubt. Any other error is recorded, the status is ERROR, and the build is tried again at `retry_at`.

| class | a refresh that fails so | what to do |
|---|---|---|
)";
  for (const ErrorClassInfo& row : error_class_register())
    out += "| " + std::string(row.name) + " | " + row.daemon_does + " | " + for_people(row.remedy) + " |\n";
  out += R"(
## SQLSTATEs

*When pgtrickle raises it*: empty if only PostgreSQL does. *What to do*: where it is not what the class says.
Class `TR` is how parts of pgtrickle signal each other; no user sees these.

| SQLSTATE | name | class | when pgtrickle raises it | what to do |
|---|---|---|---|---|
)";
  for (const ConditionInfo& row : condition_register()) {
    const std::string_view remedy = remedy_of(row.sqlstate);
    const bool of_class = remedy == error_class_register()[static_cast<std::size_t>(row.error_class)].remedy;
    out += "| `" + std::string(row.sqlstate) + "` | " + row.name + " | " + std::string(to_string(row.error_class)) +
           " | " + row.ours + " | " + (of_class || is_signal(row.sqlstate) ? "" : for_people(remedy)) + " |\n";
  }
  out +=
      "\nAll others are judged by their beginning, and are permanent where that is not listed either.\n\n"
      "| SQLSTATE | what | class | what to do |\n|---|---|---|---|\n";
  for (const SqlstateClassInfo& row : sqlstate_class_register())
    out += "| `" + std::string(row.prefix) + "..` | " + row.name + " | " + std::string(to_string(row.error_class)) +
           " | " + for_people(row.remedy) + " |\n";
  return out;
}

}  // namespace pgtrickle
