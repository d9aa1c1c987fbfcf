#include "catalog/requalify.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "catalog/as_owner.h"
#include "catalog/rename.h"
#include "compiler/error.h"
#include "compiler/parse/ast.h"
#include "compiler/sql/sql_text.h"
#include "postgres/blocking_error.h"

namespace pgtrickle::catalog {

namespace {

using compiler::quote_ident;
using compiler::quote_literal;

/// The search_path of the definition in today's names, and the schemas that what it found there was moved to.
std::string path_of(const Names& names) {
  std::string path;
  const auto add = [&](const std::string& schema) {
    if (!schema.empty()) path += (path.empty() ? "" : ", ") + quote_ident(schema);
  };
  for (std::size_t i = 0; i < names.then.size(); ++i) {
    if (names.then[i].kind != "schema") continue;
    add(names.now[i].name);
    for (std::size_t k = 0; k < names.then.size(); ++k) {
      const bool is_resolved = names.then[k].kind == "function" || names.then[k].kind == "operator";
      if (is_resolved && names.then[k].schema == names.then[i].name && names.now[k].schema != names.now[i].name)
        add(names.now[k].schema);
    }
  }
  return path.empty() ? "pg_catalog, pg_temp" : path + ", pg_temp";
}

FunctionSettings settings_of(const OriginalQuery& query, const std::string& path) {
  FunctionSettings settings{{"search_path", path}};
  for (const auto& [name, value] : query.settings) settings.emplace_back(quote_ident(name), quote_literal(value));
  return settings;
}

/// A table with the columns that a relation had when the query was defined, in the types that they have now, or had
/// when it was last compiled.
class Shadow {
 public:
  Shadow(pqxx::transaction_base& tx, const OriginalQuery& query, const NamedObject& then, const NamedObject& now,
         const NamedObject& typed_as, int number)
      : tx_(tx), owner_(query.owner), then_(then), now_(now) {
    name_ = {"pgtrickle_state", "shadow_" + std::to_string(query.pgt_id) + "_" + std::to_string(number)};
    std::string columns;
    for (const auto& column : then.columns)
      if (const auto* typed = typed_as.column(column.number))
        columns += (columns.empty() ? "" : ", ") + quote_ident(column.name) + " " + sql_type(typed->type);
    run_as_owner(tx, owner_, "CREATE TABLE " + relation() + " (" + columns + ")");
    add_primary_key();
  }

  [[nodiscard]] const Name& name() const { return name_; }

  /// Two columns may have swapped names: they go through names that nobody has.
  void rename_columns() {
    for (const bool away : {true, false})
      for (const auto& column : then_.columns) {
        const auto* present = now_.column(column.number);
        if (present == nullptr || present->name == column.name) continue;
        const std::string between = "pgtrickle_between_" + std::to_string(column.number);
        run_as_owner(tx_, owner_,
                     "ALTER TABLE " + relation() + " RENAME COLUMN " + (away ? quote_ident(column.name) : between) +
                         " TO " + (away ? between : quote_ident(present->name)));
      }
  }

  void drop() { run_as_owner(tx_, owner_, "DROP TABLE " + relation()); }

 private:
  /// From OID, modifier and collation.
  std::string sql_type(const std::string& type) {
    const auto row = tx_.exec_params1(
        "SELECT format_type(t[1]::oid, t[2]::int), (SELECT format(' COLLATE %I.%I', n.nspname, l.collname)\n"
        "  FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace WHERE l.oid = t[3]::oid)\n"
        "FROM string_to_array($1, ' ') t",
        type);
    return std::string(row[0].c_str()) + row[1].c_str();
  }

  [[nodiscard]] std::string relation() const { return compiler::qualified(name_.first, name_.second); }

  /// A query that groups by the key may show the other columns.
  void add_primary_key() {
    std::string key;
    for (const auto& row : tx_.exec_params("SELECT u.num FROM pg_constraint k CROSS JOIN LATERAL unnest(k.conkey) "
                                           "WITH ORDINALITY AS u(num, n)\n"
                                           "WHERE k.conrelid = $1 AND k.contype = 'p' ORDER BY u.n",
                                           now_.oid)) {
      const auto* column = then_.column(row[0].as<int>());
      if (column == nullptr) return;
      key += (key.empty() ? "" : ", ") + quote_ident(column->name);
    }
    if (!key.empty()) run_as_owner(tx_, owner_, "ALTER TABLE " + relation() + " ADD PRIMARY KEY (" + key + ")");
  }

  pqxx::transaction_base& tx_;
  std::string owner_;
  const NamedObject& then_;
  const NamedObject& now_;
  Name name_;
};

/// Are the columns the ones that the query was written for? A new one changes what * and NATURAL mean.
bool has_other_columns(pqxx::transaction_base& tx, const NamedObject& then, const NamedObject& now) {
  const bool renamed = std::any_of(then.columns.begin(), then.columns.end(), [&](const NamedColumn& column) {
    const auto* present = now.column(column.number);
    return present == nullptr || present->name != column.name;
  });
  return renamed || tx.exec_params1(
                          "SELECT count(*) FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT "
                          "attisdropped",
                          now.oid)[0]
                            .as<std::size_t>() != then.columns.size();
}

/// Something that a view refers to.
struct Reference {
  std::string kind;
  Name name;
  std::string text;  // for people
  bool casts = false;
};

/// What of functions, operators and relations `view` refers to that was not known.
std::vector<Reference> strangers(pqxx::transaction_base& tx, const Names& names, const std::string& view) {
  std::vector<Reference> found;
  for (const auto& row : tx.exec_params(
           "SELECT r.class, r.oid, n.o ->> 'schema', n.o ->> 'name', pg_describe_object(CASE r.class WHEN 'relation' "
           "THEN 'pg_class'::regclass\n"
           "         WHEN 'function' THEN 'pg_proc'::regclass ELSE 'pg_operator'::regclass END, r.oid, 0),\n"
           "       EXISTS (SELECT FROM pg_cast c WHERE r.class = 'function' AND c.castfunc = r.oid)\n"
           "FROM pgtrickle._referred($1::regclass) r\n"
           "CROSS JOIN LATERAL jsonb_array_elements(pgtrickle._names_now(jsonb_build_array(jsonb_build_object(\n"
           "  'class', r.class, 'oid', r.oid::bigint)))) AS n(o)\n"
           "WHERE r.class IN ('relation', 'function', 'operator') ORDER BY 1, 5",
           view))
    if (!names.knows(row[0].c_str(), row[1].as<std::uint32_t>()))
      found.push_back({row[0].c_str(), {row[2].c_str(), row[3].c_str()}, row[4].c_str(), row[5].as<bool>()});
  return found;
}

class Requalifier {
 public:
  Requalifier(pqxx::transaction_base& tx, const OriginalQuery& query, const Names& names)
      : tx_(tx), query_(query), names_(names), view_("pgtrickle_state.shadow_" + std::to_string(query.pgt_id)) {}

  /// What of functions, operators and relations the text would refer to that is not known, had the columns the types
  /// that they had when it was last compiled.
  std::vector<Reference> strangers_with_old_types() {
    with_old_types_ = true;
    auto tree = parsed();
    if (!tree) return {};
    find_relations();
    rename_objects(*tree, names_, relations_);
    follow_constants(*tree);
    run_as_owner_with(tx_, settings_of(query_, path_of(names_)), query_.owner,
                      "CREATE VIEW " + view_ + " AS " + compiler::deparse_select(*tree));
    auto found = strangers(tx_, names_, view_);
    std::erase_if(found, [](const Reference& reference) { return reference.kind == "relation"; });  // the shadows
    run_as_owner(tx_, query_.owner, "DROP VIEW " + view_);
    for (auto& shadow : shadows_) shadow.drop();
    return found;
  }

  std::string run() {
    auto tree = parsed();
    if (!tree) return text_of(query_.text);  // syntax that our parser does not know: names must resolve by themselves
    find_relations();
    rename_objects(*tree, names_, relations_);
    follow_constants(*tree);
    std::string text = text_of(compiler::deparse_select(*tree));
    for (auto& shadow : shadows_) shadow.drop();
    return shadows_.empty() ? text : without_shadows(text);
  }

 private:
  [[nodiscard]] std::optional<pg_query::SelectStmt> parsed() const {
    try {
      return compiler::parse_select(query_.text);
    } catch (const compiler::Unsupported&) {
      return std::nullopt;
    }
  }

  void find_relations() {
    shadows_.reserve(names_.then.size());
    for (std::size_t i = 0; i < names_.then.size(); ++i) {
      const auto& now = names_.now[i];
      if (now.kind != "relation" || now.name.empty()) continue;
      relations_[now.oid] = now.qualified();
      if (!with_old_types_ && !has_other_columns(tx_, names_.then[i], now)) continue;
      const auto number = static_cast<int>(shadows_.size()) + 1;
      const auto& typed_as = with_old_types_ ? names_.seen.at(i) : now;
      relations_[now.oid] = shadows_.emplace_back(tx_, query_, names_.then[i], now, typed_as, number).name();
      real_names_[shadows_.back().name()] = now.qualified();
    }
  }

  /// What constants can name that is called otherwise now, by what the query may call it: labels of enums, and objects,
  /// for types like regclass and regconfig.
  [[nodiscard]] std::multimap<std::string, std::string> renamed_in_constants() const {
    const std::set<std::string> named{"relation", "type", "function", "collation", "configuration", "dictionary"};
    std::multimap<std::string, std::string> renamed;
    for (std::size_t i = 0; i < names_.then.size(); ++i) {
      const auto& then = names_.then[i];
      const auto& now = names_.now[i];
      if (now.name.empty() || now.qualified() == then.qualified()) continue;
      if (then.kind == "label") renamed.emplace(then.name, now.name);
      if (!named.contains(then.kind)) continue;
      renamed.emplace(quote_ident(then.name), compiler::qualified(now.schema, now.name));
      renamed.emplace(compiler::qualified(then.schema, then.name), compiler::qualified(now.schema, now.name));
    }
    return renamed;
  }

  /// Which constants are names only PostgreSQL knows. Each one is asked about: a name is one that may not be anything
  /// else, but may be the new name. Constants that are not decided yet are NULL meanwhile.
  void follow_constants(pg_query::SelectStmt& tree) {
    const auto renamed = renamed_in_constants();
    if (renamed.empty()) return;
    const auto constants = string_constants(tree, [&](const std::string& text) { return renamed.contains(text); });
    std::vector<std::string> texts;
    for (auto* constant : constants) {
      texts.push_back(constant->sval().sval());
      constant->clear_sval();
      constant->set_isnull(true);
    }
    for (std::size_t i = 0; i < constants.size(); ++i) texts[i] = name_for(tree, *constants[i], texts[i], renamed);
    for (std::size_t i = 0; i < constants.size(); ++i) write(*constants[i], texts[i]);
  }

  std::string name_for(const pg_query::SelectStmt& tree, pg_query::A_Const& constant, const std::string& text,
                       const std::multimap<std::string, std::string>& renamed) {
    std::set<std::string> possible;
    if (!is_accepted(tree, constant, "pgtrickle: no name of anything"))
      for (auto [at, end] = renamed.equal_range(text); at != end; ++at)
        if (is_accepted(tree, constant, at->second)) possible.insert(at->second);
    if (possible.size() > 1)
      throw CannotFollow("several things that " + quote_literal(text) + " may name were renamed differently");
    constant.clear_sval();
    constant.set_isnull(true);
    return possible.empty() ? text : *possible.begin();
  }

  static void write(pg_query::A_Const& constant, const std::string& text) {
    constant.clear_isnull();
    constant.mutable_sval()->set_sval(text);
  }

  bool is_accepted(const pg_query::SelectStmt& tree, pg_query::A_Const& constant, const std::string& text) {
    write(constant, text);
    pqxx::subtransaction attempt(dynamic_cast<pqxx::dbtransaction&>(tx_), "name");
    try {
      run_as_owner_with(attempt, settings_of(query_, path_of(names_)), query_.owner,
                        "CREATE VIEW " + view_ + " AS " + compiler::deparse_select(tree));
      attempt.abort();
      return true;
    } catch (const pqxx::failure& failure) {
      if (!is_unknown_name(postgres::error_of(failure).sqlstate)) throw;
      return false;
    }
  }

  /// What PostgreSQL makes of a query, with all names in it qualified.
  std::string text_of(const std::string& query) {
    run_as_owner_with(tx_, settings_of(query_, path_of(names_)), query_.owner, "CREATE VIEW " + view_ + " AS " + query);
    for (auto& shadow : shadows_) shadow.rename_columns();
    auto readable = settings_of(query_, "''");
    std::erase_if(readable, [](const auto& setting) { return setting.first == "extra_float_digits"; });
    std::string text = value_as_owner(
        tx_, query_.owner, "SELECT pg_catalog.pg_get_viewdef('" + view_ + "'::pg_catalog.regclass)", readable);
    refuse_loss(text, readable);
    run_as_owner(tx_, query_.owner, "DROP VIEW " + view_);
    while (!text.empty() && text.back() == ';') text.pop_back();
    return text;
  }

  /// PostgreSQL's text of a query can be another query.
  void refuse_loss(const std::string& text, const FunctionSettings& readable) {
    const std::string lost =
        value_as_owner(tx_, query_.owner,
                       "SELECT l.message FROM pgtrickle._lost_in_text('" + view_ + "'::pg_catalog.regclass, " +
                           quote_literal(text.substr(0, text.rfind(';'))) + ") AS l",
                       readable);
    if (!lost.empty()) throw CannotFollow(lost);
  }

  [[nodiscard]] std::string without_shadows(const std::string& text) const {
    auto tree = compiler::parse_select(text);
    rename_relations(tree, real_names_);
    return compiler::deparse_select(tree);
  }

  pqxx::transaction_base& tx_;
  const OriginalQuery& query_;
  const Names& names_;
  std::string view_;
  bool with_old_types_ = false;
  std::vector<Shadow> shadows_;
  RelationNames relations_;
  std::map<Name, Name> real_names_;  // of shadows
};

/// How often the query called each function, in today's names; functions whose names are ambiguous now are left out.
void compare_calls(const OriginalQuery& query, const std::string& text, const Names& names) {
  std::map<Name, int> before;
  std::map<Name, int> after;
  try {
    before = function_calls(compiler::parse_select(query.canonical));
    after = function_calls(compiler::parse_select(text));
  } catch (const compiler::Unsupported&) {
    return;
  }
  std::map<Name, std::set<Name>> renamed;
  std::set<std::string> of_users;  // names that functions of PostgreSQL may have too
  for (std::size_t i = 0; i < names.now.size(); ++i)
    if (names.seen.at(i).kind == "function") {
      renamed[names.seen[i].qualified()].insert(names.now[i].qualified());
      of_users.insert(names.now[i].name);
    }
  std::map<Name, int> expected;
  for (const auto& [name, count] : before) {
    const auto found = renamed.find(name);
    if (found == renamed.end())
      expected[name] += count;
    else if (found->second.size() == 1)
      expected[*found->second.begin()] += count;
    else
      return;
  }
  for (const auto& [name, count] : after)
    if (of_users.contains(name.second) && expected[name] < count)
      throw CannotFollow("it would call " + (name.first.empty() ? "PostgreSQL's " : name.first + ".") + name.second +
                         " where it called something else when it was defined");
}

}  // namespace

std::string requalified_definition(pqxx::transaction_base& tx, const OriginalQuery& query, const Names& names) {
  std::string text = Requalifier(tx, query, names).run();
  compare_calls(query, text, names);
  return text;
}

std::vector<std::string> compare_references(pqxx::transaction_base& tx, const OriginalQuery& query, const Names& names,
                                            const std::string& view) {
  const auto found = strangers(tx, names, view);
  if (found.empty()) return {};
  const auto refuse = [](const Reference& reference) {
    throw CannotFollow("it would use " + reference.text + ", which it did not when it was defined");
  };
  std::set<Name> known;
  for (const auto& object : names.now) known.insert(object.qualified());
  std::vector<std::string> notes;
  for (const auto& reference : found) {
    const bool may_follow = reference.kind == "operator" ||
                            (reference.kind == "function" && (reference.casts || known.contains(reference.name)));
    if (!names.types_changed() || !may_follow) refuse(reference);
    notes.push_back("it uses " + reference.text + " now, because columns have other types");
  }
  for (const auto& reference : Requalifier(tx, query, names).strangers_with_old_types()) refuse(reference);
  return notes;
}

}  // namespace pgtrickle::catalog
