#include "compiler/program/trigger_writer.h"

#include <algorithm>

#include "compiler/sql/change.h"
#include "compiler/sql/function_text.h"
#include "compiler/sql/rows.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/template.h"

namespace pgtrickle::compiler {

namespace {

constexpr std::size_t kMostNetted = 64;  // captured columns up to which the two sides of an UPDATE are netted

std::string c(std::int16_t attnum) {
  return "c" + std::to_string(attnum);
}

const SourceColumn& column(const CapturedSource& s, std::int16_t attnum) {
  return *std::find_if(s.source->columns.begin(), s.source->columns.end(),
                       [&](const SourceColumn& col) { return col.attnum == attnum; });
}

Select side(const CapturedSource& s, bool old_side) {
  const std::string alias = old_side ? "o" : "n";
  Select rows;
  for (const auto attnum : s.columns) rows.item(alias + "." + quote_ident(column(s, attnum).name), c(attnum));
  return rows.item(old_side ? "-1" : "1", "w").from(old_side ? "oldt" : "newt", alias);
}

/// Of an UPDATE. Rows of which no column in use has changed are not kept.
Query both_sides(const CapturedSource& s) {
  const Query both = union_all({side(s, true), side(s, false)});
  const auto names = TriggerWriter::columns(s);
  std::vector<TypeInfo> types;
  for (const auto attnum : s.columns) types.push_back(column(s, attnum).type);
  const bool netted = names.size() <= kMostNetted && std::all_of(types.begin(), types.end(), [](const auto& type) {
                        return type.equatable && !type.encoded_image;
                      });
  return netted ? Query(consolidate(names, types, FromItem(both))) : both;
}

}  // namespace

TriggerWriter::TriggerWriter(const CompileRequest& request, const std::vector<CapturedSource>& sources,
                             const SourceNumbers& numbers, Planning planning)
    : request_(request),
      sources_(sources),
      numbers_(numbers),
      planning_(planning),
      id_(std::to_string(request.id)),
      name_(qualified(request.schema, request.name)) {
  std::sort(sources_.begin(), sources_.end(), [&](const auto& a, const auto& b) {
    return numbers.number(a.source->relid) < numbers.number(b.source->relid);
  });
}

std::string TriggerWriter::about() const {
  return "For IMMEDIATE stream table " + name_ + " of " + quote_ident(request_.owner) +
         ". If its query cannot have your rows, its owner can take it out of your way: pgtrickle.alter_stream_table(" +
         quote_literal(name_) + ", refresh_mode => 'DIFFERENTIAL')";
}

std::string TriggerWriter::number(const CapturedSource& s) const {
  return std::to_string(numbers_.number(s.source->relid));
}

std::string TriggerWriter::table(const CapturedSource& s) const {
  return changes_table(request_.id, numbers_.number(s.source->relid));
}

std::vector<std::string> TriggerWriter::columns(const CapturedSource& s) {
  std::vector<std::string> names;
  for (const auto attnum : s.columns) names.push_back(c(attnum));
  return names;
}

std::string TriggerWriter::changes_ddl(const CapturedSource& s) const {
  Select rows({"0::smallint AS w"});
  for (const auto attnum : s.columns) rows.item("t." + quote_ident(column(s, attnum).name), c(attnum));
  rows.from(qualified(s.source->schema, s.source->name), "t");
  return "CREATE UNLOGGED TABLE " + table(s) + " AS\n" + rows.sql() + "\nWITH NO DATA";
}

std::string TriggerWriter::by_operation(const CapturedSource& s,
                                        const std::function<std::string(const Query& rows)>& what) {
  // Without columns nothing is read but the number of rows, which no UPDATE changes.
  const std::string on_update =
      s.columns.empty() ? "" : fill("ELSIF TG_OP = 'UPDATE' THEN\n    ${updated};", {{"updated", what(both_sides(s))}});
  constexpr const char* kText = R"sql(
      IF TG_OP = 'INSERT' THEN
          ${inserted};
      ELSIF TG_OP = 'DELETE' THEN
          ${deleted};
      ${on_update}
      END IF;
  )sql";
  return fill(kText, {{"inserted", what(side(s, false))}, {"deleted", what(side(s, true))}, {"on_update", on_update}});
}

std::string TriggerWriter::stored(const CapturedSource& s) const {
  auto names = columns(s);
  names.emplace_back("w");
  return by_operation(s, [&](const Query& rows) { return Insert(table(s), names, rows).sql(); });
}

std::string TriggerWriter::saved() {
  return "apply_before CONSTANT text := current_setting('pgtrickle.apply', true);\n"
         "maintaining CONSTANT text := coalesce(current_setting('pgtrickle.maintaining', true), '');";
}

std::string TriggerWriter::begins(const char* leave) const {
  constexpr const char* kText = R"sql(
      IF position(' ${id} ' IN v.maintaining) > 0 THEN
          RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
              MESSAGE = ${message},
              DETAIL = 'A trigger on it, or on a stream table that reads it, changes what it reads.',
              HINT = ${hint};
      END IF;
      ${holds}
      IF ${is_stopped} THEN
          ${leave};
      END IF;
      ${still_fits}
      v.ignored := set_config('pgtrickle.maintaining', v.maintaining || ' ${id} ', true);
  )sql";
  return fill(kText, {{"id", id_},
                      {"message", quote_literal("stream table " + name_ + " of " + quote_ident(request_.owner) +
                                                " is being maintained by this very statement")},
                      {"hint", quote_literal("Its owner can drop that trigger, or have it refreshed instead: "
                                             "pgtrickle.alter_stream_table('" +
                                             name_ + "', refresh_mode => 'DIFFERENTIAL').")},
                      {"holds", holds()},
                      {"is_stopped", is_stopped()},
                      {"leave", leave},
                      {"still_fits", still_fits(leave)}});
}

/// A subtransaction that writes nothing takes no transaction id. By a query, because LOCK TABLE asks for a privilege on
/// all columns.
std::string TriggerWriter::holds() const {
  // What a statement changes, it holds: a table of which only that one is read.
  const bool held = std::all_of(sources_.begin(), sources_.end(), [&](const CapturedSource& s) {
    return sources_.size() == 1 && s.source->kind != SourceKind::kPartitionedTable &&
           !s.source->has_inheritance_children;
  });
  std::vector<Query> others;
  for (const auto& s : sources_)
    others.emplace_back(Select().from("ONLY " + qualified(s.source->schema, s.source->name), "t"));
  constexpr const char* kText = R"sql(
      BEGIN      -- who alters or drops what is named below is waited for here
          LOCK TABLE ONLY ${name} IN ROW EXCLUSIVE MODE;
          ${others}
      EXCEPTION WHEN undefined_table OR invalid_schema_name OR wrong_object_type OR insufficient_privilege THEN
          ${lost}
      END;
  )sql";
  return fill(kText, {{"name", name_},
                      {"others", held ? "" : "PERFORM FROM " + union_all(others).in_parentheses() + " t WHERE false;"},
                      {"lost", lost("what it reads or writes is gone, or closed to its owner")}});
}

std::string TriggerWriter::is_stopped() const {
  return "EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = " + id_ +
         ")\nOR NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate i WHERE i.pgt_id = " + id_ + ")";
}

std::string TriggerWriter::ends() {
  return "v.ignored := set_config('pgtrickle.apply', v.apply_before, true);\n"
         "v.ignored := set_config('pgtrickle.maintaining', v.maintaining, true);";
}

std::string TriggerWriter::expect_trigger() const {
  constexpr const char* kText = R"sql(
      IF NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = TG_RELID AND t.tgname = TG_NAME) THEN
          RAISE EXCEPTION USING ERRCODE = 'serialization_failure',
              MESSAGE = ${newer},
              HINT = 'Try the transaction again.';
      END IF;
  )sql";
  return fill(kText, {{"newer", quote_literal("could not serialize access: stream table " + name_ +
                                              " became IMMEDIATE after the snapshot")}});
}

/// The owner may not read a source any more, or, where no event trigger stops it, a source is not what it was.
std::string TriggerWriter::still_fits(const char* leave) const {
  std::vector<std::string> readable;
  for (const auto& s : sources_) {
    const std::string rel = std::to_string(s.source->relid) + "::oid";
    std::vector<std::string> of_columns;
    for (const auto attnum : s.columns)
      of_columns.push_back("has_column_privilege(" + rel + ", " + std::to_string(attnum) + "::int2, 'SELECT')");
    const std::string of_table = "has_table_privilege(" + rel + ", 'SELECT')";
    readable.push_back(of_columns.empty() ? of_table : "(" + of_table + " OR " + join(of_columns, " AND ") + ")");
  }
  return lost_if("(" + join(readable, "\n AND ") + ") IS NOT TRUE", "its owner may no longer SELECT from what it reads",
                 leave);
}

std::string TriggerWriter::looks_for_itself() const {
  if (!request_.event_triggers.empty()) return {};
  std::vector<std::string> relids;
  for (const auto& s : sources_) relids.push_back(std::to_string(s.source->relid));
  return lost_if("NOT pgtrickle._immediate_fits(" + id_ + ", '{" + join(relids, ",") + "}')",
                 "what it reads is not what it was", "RETURN NULL");
}

std::string TriggerWriter::lost(const std::string& why) const {
  return "UPDATE pgtrickle.pgt_immediate i SET lost = " + quote_literal(why) + " WHERE i.pgt_id = " + id_ + ";";
}

std::string TriggerWriter::lost_if(const std::string& condition, const std::string& why, const char* leave) const {
  constexpr const char* kText = R"sql(
      IF ${condition} THEN
          ${lost}
          ${leave};
      END IF;
  )sql";
  return fill(kText, {{"condition", condition}, {"lost", lost(why)}, {"leave", leave}});
}

std::string TriggerWriter::function(const char* kind, const std::string& body, bool plans,
                                    const std::string& suffix) const {
  constexpr const char* kText = R"sql(
      CREATE OR REPLACE FUNCTION ${name}() RETURNS trigger
      LANGUAGE plpgsql SECURITY DEFINER
      SET search_path = pg_catalog, pg_temp
      ${of_one_plan}
      ${of_few_rows}
  )sql";
  return plpgsql_function(fill(kText, {{"name", function_name(kind, request_.id) + suffix},
                                       {"of_one_plan", plans ? kOnePlan : ""},
                                       {"of_few_rows", plans && planning_.nested_loops ? kNestedLoops : ""}}),
                          body);
}

void TriggerWriter::add(Program& program, const std::string& text, const std::string& signature, bool for_admin) const {
  program.owner_ddl.push_back(text);
  program.owner_ddl.push_back("REVOKE ALL ON FUNCTION " + signature + " FROM PUBLIC");
  if (for_admin && !request_.admin.empty())  // who makes a trigger must be allowed to execute its function
    program.owner_ddl.push_back("GRANT EXECUTE ON FUNCTION " + signature + " TO " + quote_ident(request_.admin));
}

void TriggerWriter::add_changed(Program& program, const CapturedSource& s, const std::string& body) const {
  const std::string suffix = "_" + number(s);
  add(program, function("changed", body, true, suffix), function_name("changed", request_.id) + suffix + "()", true);
  program.immediate_sources.push_back(s.source->relid);
}

}  // namespace pgtrickle::compiler
