#include "catalog/requalify.h"

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "catalog/as_owner.h"
#include "compiler/generate/sql_text.h"
#include "compiler/parse/ast.h"

namespace pgtrickle::catalog {

namespace {

using Name = std::pair<std::string, std::string>;

/// Replaces relations; an unaliased one keeps its old name as alias, because columns are qualified with it.
std::string rename_relations(const std::string& query, const std::map<Name, Name>& names) {
  compiler::Node root;
  *root.mutable_select_stmt() = compiler::parse_select(query);
  compiler::rewrite(root, [&](compiler::Node& node) {
    if (!node.has_range_var()) return false;
    auto* range = node.mutable_range_var();
    const auto found = names.find({range->schemaname(), range->relname()});
    if (found == names.end()) return false;
    if (!range->has_alias()) range->mutable_alias()->set_aliasname(range->relname());
    range->set_schemaname(found->second.first);
    range->set_relname(found->second.second);
    return true;
  });
  return compiler::deparse_select(root.select_stmt());
}

/// The relations that the text names, qualified. What is behind a view need not be readable for the owner.
std::set<Name> named_relations(const std::string& query) {
  compiler::Node root;
  *root.mutable_select_stmt() = compiler::parse_select(query);
  std::set<Name> names;
  compiler::rewrite(root, [&](compiler::Node& node) {
    if (node.has_range_var()) names.insert({node.range_var().schemaname(), node.range_var().relname()});
    return false;
  });
  return names;
}

}  // namespace

std::string requalified_definition(pqxx::transaction_base& tx, std::int64_t pgt_id, const std::string& owner,
                                   const std::string& definition) {
  const auto sources = tx.exec_params(
      "SELECT d.source_relid, d.source_schema, d.source_name, n.nspname AS schema_now, c.relname AS name_now\n"
      "FROM pgtrickle.pgt_dependencies d JOIN pg_class c ON c.oid = d.source_relid JOIN pg_namespace n ON n.oid = "
      "c.relnamespace\n"
      "WHERE d.pgt_id = $1 ORDER BY d.source_relid",
      pgt_id);
  std::map<Name, Name> to_shadow;
  std::map<Name, Name> to_now;
  std::vector<std::string> renames;
  // LIKE keeps a lock on the source until the end of the transaction, so that the names which the caller records are
  // those of this text. Rolling back to a savepoint would release it: what was made here is dropped instead.
  std::string made;
  const std::set<Name> named = named_relations(definition);
  for (const auto& source : sources) {
    if (!named.contains({source[1].c_str(), source[2].c_str()})) continue;
    const std::string shadow = "shadow_" + std::to_string(pgt_id) + "_" + std::to_string(to_shadow.size() + 1);
    const std::string qualified = compiler::qualified("pgtrickle_state", shadow);
    to_shadow[{source[1].c_str(), source[2].c_str()}] = {"pgtrickle_state", shadow};
    to_now[{"pgtrickle_state", shadow}] = {source[3].c_str(), source[4].c_str()};
    run_as_owner(tx, owner,
                 "CREATE TABLE " + qualified + " (LIKE " + compiler::qualified(source[3].c_str(), source[4].c_str()) +
                     " INCLUDING INDEXES)");
    made += (made.empty() ? "" : ", ") + qualified;
    const auto columns = tx.exec_params(
        "SELECT a.attname AS name_now, u.was FROM pgtrickle.pgt_dependencies d\n"
        "CROSS JOIN LATERAL unnest(d.columns, d.column_names) AS u(num, was)\n"
        "JOIN pg_attribute a ON a.attrelid = d.source_relid AND a.attnum = u.num AND NOT a.attisdropped\n"
        "WHERE d.pgt_id = $1 AND d.source_relid = $2 AND a.attname <> u.was",
        pgt_id, source[0].as<std::uint32_t>());
    // A column that nobody reads may have taken the old name of one that is read.
    int hidden = 0;
    for (const auto& column : tx.exec_params(
             "SELECT a.attname FROM pgtrickle.pgt_dependencies d CROSS JOIN LATERAL unnest(d.columns, d.column_names) "
             "AS u(num, was)\n"
             "JOIN pg_attribute r ON r.attrelid = d.source_relid AND r.attnum = u.num AND NOT r.attisdropped\n"
             "JOIN pg_attribute a ON a.attrelid = d.source_relid AND a.attname = u.was AND NOT a.attnum = ANY "
             "(d.columns)\n"
             "WHERE d.pgt_id = $1 AND d.source_relid = $2",
             pgt_id, source[0].as<std::uint32_t>()))
      run_as_owner(tx, owner,
                   "ALTER TABLE " + qualified + " RENAME COLUMN " + compiler::quote_ident(column[0].c_str()) +
                       " TO pgtrickle_hidden_" + std::to_string(++hidden));
    // Two columns may have swapped names: go through names that nobody has.
    int n = 0;
    for (const auto& column : columns) {
      const std::string between = "pgtrickle_between_" + std::to_string(++n);
      run_as_owner(
          tx, owner,
          "ALTER TABLE " + qualified + " RENAME COLUMN " + compiler::quote_ident(column[0].c_str()) + " TO " + between);
    }
    for (int i = 1; i <= n; ++i) {
      const auto& column = columns[static_cast<pqxx::result::size_type>(i - 1)];
      const std::string between = "pgtrickle_between_" + std::to_string(i);
      run_as_owner(
          tx, owner,
          "ALTER TABLE " + qualified + " RENAME COLUMN " + between + " TO " + compiler::quote_ident(column[1].c_str()));
      renames.insert(renames.begin(), "ALTER TABLE " + qualified + " RENAME COLUMN " + between + " TO " +
                                          compiler::quote_ident(column[0].c_str()));
      renames.insert(renames.begin(), "ALTER TABLE " + qualified + " RENAME COLUMN " +
                                          compiler::quote_ident(column[1].c_str()) + " TO " + between);
    }
  }
  const std::string view = "pgtrickle_state.shadow_" + std::to_string(pgt_id);
  run_as_owner(tx, owner, "CREATE VIEW " + view + " AS " + rename_relations(definition, to_shadow));
  // First all away from the old names, then all to the new ones.
  for (const bool away : {true, false})
    for (const auto& rename : renames)
      if ((rename.find(" TO pgtrickle_between_") != std::string::npos) == away) run_as_owner(tx, owner, rename);
  tx.exec("SAVEPOINT qualified; SET LOCAL search_path = ''");
  std::string text = tx.exec("SELECT pg_catalog.pg_get_viewdef('" + view + "'::pg_catalog.regclass)")[0][0].c_str();
  tx.exec("ROLLBACK TO SAVEPOINT qualified; RELEASE SAVEPOINT qualified");
  run_as_owner(tx, owner, "DROP VIEW " + view);
  if (!made.empty()) run_as_owner(tx, owner, "DROP TABLE " + made);
  if (!text.empty() && text.back() == ';') text.pop_back();
  return rename_relations(text, to_now);
}

}  // namespace pgtrickle::catalog
