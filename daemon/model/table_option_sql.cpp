// What is made from the register of options for SQL: the type that carries them, the functions that take them, and how
// they are checked and kept.
#include <algorithm>

#include "model/error_register.h"
#include "model/table_options.h"

namespace pgtrickle {
namespace {

constexpr std::size_t kWidth = 118;

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
    text.replace(at, what.size(), with);
  return text;
}

std::string quoted(const std::string& text) {
  return "'" + replaced(text, "'", "''") + "'";
}

/// A list with line breaks where a line is full.
std::string list(const std::vector<std::string>& items, const std::string& indent) {
  std::string out, line = indent;
  for (const std::string& item : items) {
    const std::string more = item + (&item == &items.back() ? "" : ",");
    if (line != indent && line.size() + 1 + more.size() > kWidth) {
      out += line + "\n";
      line = indent;
    }
    line += (line == indent ? "" : " ") + more;
  }
  return out + line;
}

/// A line of a COMMENT, which goes on in lines that begin with two spaces.
std::string comment_line(const std::string& text) {
  const std::string rest = replaced(text, "'", "''");
  std::string out, line;
  for (std::size_t at = 0; at < rest.size();) {
    const std::size_t end = std::min(rest.find(' ', at), rest.size());
    if (line.size() + 1 + end - at > kWidth && line.size() > 2) {
      out += line + "\n";
      line = " ";
    }
    line += (line.empty() ? "" : " ") + rest.substr(at, end - at);
    at = end + 1;
  }
  return out + line + "\n";
}

bool is_carried(const TableOption& o) {
  return o.kind != OptionKind::kArgument;
}

std::vector<TableOption> at_creation() {
  std::vector<TableOption> out = table_option_register();
  std::erase_if(out, [](const TableOption& o) { return !o.at_creation; });
  return out;
}

std::vector<TableOption> at_alteration() {
  std::vector<TableOption> out = table_option_register();
  std::erase_if(out, [](const TableOption& o) { return o.alter_position == 0; });
  std::sort(out.begin(), out.end(),
            [](const TableOption& a, const TableOption& b) { return a.alter_position < b.alter_position; });
  return out;
}

std::vector<TableOption> carried() {
  std::vector<TableOption> out = table_option_register();
  std::erase_if(out, [](const TableOption& o) { return !is_carried(o); });
  return out;
}

// The type
// -------------------------------------------------------------------------------------------------------------

std::string options_type() {
  std::vector<std::string> columns;
  for (const TableOption& o : carried()) columns.push_back(o.name + " " + o.type);
  return "-- All of them but the arguments that the functions look at themselves, as the caller wrote them; NULL: not given.\n"
         "CREATE TYPE pgtrickle._options AS (\n" +
         list(columns, "    ") + "\n);\n";
}

// Checking and keeping
// -------------------------------------------------------------------------------------------------

std::string choice(const TableOption& o) {
  return "pgtrickle._choice(qualified, " + quoted(o.name) + ",\n            o." + o.name + ", '{" + o.good + "}')";
}

std::string failing(Condition condition, const std::string& message, const TableOption& o) {
  return "        PERFORM pgtrickle._fail(" + quoted(sqlstate_of(condition)) + ",\n            " + message +
         ", NULL,\n            " + quoted(o.hint) + ");\n";
}

std::string step(const TableOption& o) {
  const std::string given = "o." + o.name, kept = "st." + o.name;
  const std::string good = replaced(o.good, "$", given);
  switch (o.kind) {
    case OptionKind::kArgument:
      return {};
    case OptionKind::kChoice:
      return "    IF " + given + " IS NOT NULL THEN\n        " + kept + " := " + choice(o) + ";\n    END IF;\n" +
             (o.unset.empty() ? "" : "    " + kept + " := coalesce(" + kept + ", " + o.unset + ");\n");
    case OptionKind::kNumber:
      return "    IF NOT (" + given + " = " + o.unset + " OR " + good + ") THEN\n" +
             failing(Condition::kInvalidParameterValue,
                     "format('stream table %s: " + o.name + " %s is out of range', qualified, " + given + ")", o) +
             "    ELSIF " + given + " IS NOT NULL THEN\n        " + kept + " := nullif(" + given + ", " + o.unset +
             ");\n    END IF;\n";
    case OptionKind::kFlag:
      return "    " + kept + " := coalesce(" + given + ", " + kept + ", " + o.unset + ");\n";
    case OptionKind::kCompatibility:
      break;
  }
  if (o.good.empty()) return {};
  return "    IF " + good + " THEN\n" +
         failing(Condition::kFeatureNotSupported,
                 "format('stream table %s: %s is not supported', qualified, " + quoted(o.refused) + ")", o) +
         "    END IF;\n";
}

std::string set_options() {
  std::string body;
  for (const TableOption& o : carried()) body += step(o);
  return R"(
-- The catalog row `st`, which is empty when a stream table is created, with the options that are given. For
-- a choice 'default' takes it back, for numbers what is named in the hint. Options that ask for what always happens
-- here are taken and not kept. Errors: 22023 bad value; 0A000 what does not exist here.
CREATE FUNCTION pgtrickle._set_options(st pgtrickle.pgt_stream_tables, o pgtrickle._options, qualified text)
RETURNS pgtrickle.pgt_stream_tables
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
)" + body +
         R"(    RETURN st;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._set_options TO PUBLIC;
)";
}

std::string kept_options() {
  std::vector<std::string> values;
  for (const TableOption& o : carried())
    values.push_back(o.kind == OptionKind::kCompatibility ? "NULL" : "st." + o.name);
  return R"(
-- The options that a stream table has.
CREATE FUNCTION pgtrickle._kept_options(st pgtrickle.pgt_stream_tables) RETURNS pgtrickle._options
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ROW(
)" + list(values, "        ") +
         R"(
    )::pgtrickle._options
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._kept_options TO PUBLIC;
)";
}

// The functions
// --------------------------------------------------------------------------------------------------------

std::string row_of_arguments() {
  std::vector<std::string> names;
  for (const TableOption& o : carried()) names.push_back(o.name);
  return "        ROW(\n" + list(names, "            ") + "\n        )::pgtrickle._options,\n";
}

/// `parameters`: with their defaults. `call`: of the function that does the work, up to the options.
std::string function(const std::string& name, const std::vector<std::string>& parameters, const std::string& call,
                     const std::string& comment) {
  return "\nCREATE FUNCTION pgtrickle." + name + "(\n" + list(parameters, "    ") +
         ")\nRETURNS void LANGUAGE plpgsql AS $$\nBEGIN\n    PERFORM pgtrickle." + call + ",\n" + row_of_arguments() +
         "        pg_catalog.current_setting('search_path'));\nEND\n$$;\nGRANT EXECUTE ON FUNCTION pgtrickle." + name +
         " TO PUBLIC;\nCOMMENT ON FUNCTION pgtrickle." + name + " IS\n'" + comment.substr(0, comment.size() - 1) +
         "';\n";
}

/// `keeps`: what is not given stays as it is.
std::vector<std::string> creating(bool keeps) {
  std::vector<std::string> out{"name text", "query text"};
  for (const TableOption& o : at_creation())
    out.push_back(o.name + " " + o.type + " DEFAULT " + (keeps && is_carried(o) ? "NULL" : o.initial));
  return out;
}

std::vector<std::string> altering() {
  std::vector<std::string> out{"name text", "query text DEFAULT NULL"};
  for (const TableOption& o : at_alteration()) out.push_back(o.name + " " + o.type + " DEFAULT NULL");
  return out;
}

std::string creation_comment() {
  std::string out =
      comment_line("Creates a table that holds the result of a query and that the daemon keeps fresh.") +
      comment_line("name: schema.table or table (then in the first schema of the search_path), as in SQL.") +
      comment_line(
          "query: one SELECT; names in it follow the search_path now, later changes of the path do not matter.");
  std::string others;
  for (const TableOption& o : at_creation()) {
    if (o.kind == OptionKind::kCompatibility) {
      others += (others.empty() ? "" : ", ") + o.name;
    } else {
      out += comment_line(o.name + ": " + o.meaning);
    }
  }
  return out +
         comment_line(others +
                      ": for compatibility; what asks for anything else than capture by triggers and a plain table is "
                      "refused.") +
         comment_line(
             "Runs in the caller's transaction with the caller's rights; the caller owns the result. The daemon "
             "takes over after commit: see wait_until_active(). Needs the TEMPORARY privilege on the database.") +
         comment_line(
             "Errors: 42P07 name taken; 22023 bad schedule, mode or option; 42602, 42622, 42601 bad name; 3F000 "
             "no such schema; 0A000 an option that is not supported or something in the query that no stored "
             "result can have; whatever PostgreSQL says about the query, prefixed with the stream table's name.");
}

std::string alteration_comment() {
  std::string out =
      comment_line(
          "Changes a stream table; what is NULL stays. Text 'default' sets a text option back, -1 a number, '0' "
          "max_staleness, false allow_circular.") +
      comment_line(
          "query: the new query, checked as in create_stream_table(). The table keeps its columns, loses columns "
          "that the query has no more and gets new ones at its end; other changes of columns need drop and "
          "create. Until the daemon has recomputed it (see wait_until_active()) it shows the old rows, with NULL "
          "in new columns. Stream tables that read it are compiled again if columns or types change. If the new "
          "query cannot be built, the previous one goes on and last_error says why; columns that were dropped "
          "come back as the last ones.");
  for (const TableOption& o : at_alteration()) {
    if (!o.alter_meaning.empty()) out += comment_line(o.name + ": " + o.alter_meaning);
  }
  return out + comment_line("Everything else as in create_stream_table().") +
         comment_line(
             "Errors: 42P01 not a stream table; 42501 not the owner; 22023 bad value; 0A000 not supported; 42P16 "
             "columns that do not fit; 2BP01 a column that would go is used; 42P17 a cycle; and those of "
             "create_stream_table() about the query.");
}

std::string replacement_comment() {
  return comment_line(
             "Makes a stream table what the arguments say: creates it if it does not exist; does nothing if query, "
             "schedule, mode and options are already so; changes it in place, as alter_stream_table() does, where its "
             "columns allow that; otherwise drops and creates it, if nothing reads it (grants and indexes on the table "
             "are then lost; it stays paused, gated and in its refresh group).") +
         comment_line("Options that are NULL stay as they are. Parameters as in create_stream_table().") +
         comment_line(
             "Errors: as create_stream_table() and alter_stream_table(); 42P07 a relation of this name that is "
             "not a stream table; 2BP01 it must be recreated but something reads it.");
}

std::string if_not_exists_comment() {
  return comment_line(
      "As create_stream_table(), but a NOTICE instead of an error if a stream table of this name exists, whatever its "
      "query. An ordinary relation of that name is still an error.");
}

// For people
// -----------------------------------------------------------------------------------------------------------

std::string taken_back_by(const TableOption& o) {
  if (o.kind == OptionKind::kChoice || o.unset == "'default'") return "'default'";
  return replaced(o.unset, "interval ", "");
}

std::string table() {
  std::string rows;
  for (const TableOption& o : table_option_register()) {
    rows += (rows.empty() ? "" : ",\n") + std::string("        (") + quoted(o.name) + ", " + quoted(o.type) + ", " +
            (o.at_creation ? quoted(o.initial) : "NULL") + ", " + (o.alter_position > 0 ? "true" : "false") + ", " +
            (taken_back_by(o).empty() ? "NULL" : quoted(taken_back_by(o))) + ", " +
            (o.flag.empty() ? "NULL" : quoted(o.flag)) + ")";
  }
  return R"(
-- The table in docs/SQL_REFERENCE.md. initial: when a stream table is created, NULL: not a parameter then.
CREATE FUNCTION pgtrickle._table_options()
RETURNS TABLE (option text, type text, initial text, alters boolean, taken_back_by text, flag text)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM (VALUES
)" + rows +
         R"()
        AS o(option, type, initial, alters, taken_back_by, flag)
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._table_options TO PUBLIC;
)";
}

}  // namespace

std::string table_option_sql() {
  const std::string creates = "(name, query, schedule, refresh_mode, initialize, ";
  return "-- What create_stream_table(), create_or_replace_stream_table() and alter_stream_table() take.\n"
         "-- This file is generated from daemon/model/table_options.cpp: pgtrickled --print-option-sql > "
         "sql/49_table_options.sql\n\n" +
         options_type() + set_options() + kept_options() +
         function("create_stream_table", creating(false), "_create_stream_table" + creates + "false",
                  creation_comment()) +
         function("create_stream_table_if_not_exists", creating(false), "_create_stream_table" + creates + "true",
                  if_not_exists_comment()) +
         function("create_or_replace_stream_table", creating(true),
                  "_replace_stream_table(name, query, schedule, refresh_mode, initialize", replacement_comment()) +
         function("alter_stream_table", altering(), "_alter_stream_table(name, query, schedule, refresh_mode, status",
                  alteration_comment()) +
         table();
}

}  // namespace pgtrickle
