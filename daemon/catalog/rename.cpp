#include "catalog/rename.h"

#include <algorithm>
#include <set>

#include "compiler/parse/ast.h"
#include "compiler/parse/traverse.h"

namespace pgtrickle::catalog {

namespace {

using google::protobuf::Message;
using google::protobuf::RepeatedPtrField;
using NameList = RepeatedPtrField<pg_query::Node>;
using Scope = std::set<std::string>;  // names of WITH queries

Name name_in(const NameList& list) {
  const int size = list.size();
  if (size == 0) return {};
  return {size > 1 ? list[size - 2].string().sval() : std::string(), list[size - 1].string().sval()};
}

void write_name(NameList& list, const Name& name) {
  list.Clear();
  if (!name.first.empty()) list.Add()->mutable_string()->set_sval(name.first);
  list.Add()->mutable_string()->set_sval(name.second);
}

bool is_select(const Message& message) {
  return typeid(message) == typeid(pg_query::SelectStmt);
}

class Renamer {
 public:
  Renamer(const Names& names, const RelationNames& relations) : names_(names), relations_(relations) {
    for (const auto& object : names.then)
      if (object.kind == "schema") path_.push_back(object.name);
  }

  void visit(Message& message, Scope scope) {
    if (is_select(message)) {
      visit_select(static_cast<pg_query::SelectStmt&>(message), std::move(scope));
      return;
    }
    if (typeid(message) == typeid(pg_query::RangeVar)) relation(static_cast<pg_query::RangeVar&>(message), scope);
    if (typeid(message) == typeid(pg_query::ColumnRef)) column(static_cast<pg_query::ColumnRef&>(message));
    if (typeid(message) == typeid(pg_query::TypeName)) type(*static_cast<pg_query::TypeName&>(message).mutable_names());
    if (typeid(message) == typeid(pg_query::CollateClause))
      first_in_path("collation", *static_cast<pg_query::CollateClause&>(message).mutable_collname());
    if (typeid(message) == typeid(pg_query::FuncCall))
      function(*static_cast<pg_query::FuncCall&>(message).mutable_funcname());
    if (typeid(message) == typeid(pg_query::A_Expr)) operation(*static_cast<pg_query::A_Expr&>(message).mutable_name());
    if (typeid(message) == typeid(pg_query::SubLink))
      operation(*static_cast<pg_query::SubLink&>(message).mutable_oper_name());
    if (typeid(message) == typeid(pg_query::SortBy))
      operation(*static_cast<pg_query::SortBy&>(message).mutable_use_op());
    compiler::for_each_child(message, [&](Message& child, const auto&) { visit(child, scope); });
  }

 private:
  /// A WITH query sees those before it, with RECURSIVE all of its list; the rest of the statement sees all.
  void visit_select(pg_query::SelectStmt& select, Scope scope) {
    if (select.has_with_clause()) {
      auto& with = *select.mutable_with_clause();
      if (with.recursive())
        for (const auto& cte : with.ctes()) scope.insert(cte.common_table_expr().ctename());
      for (auto& cte : *with.mutable_ctes()) {
        visit(*cte.mutable_common_table_expr()->mutable_ctequery(), scope);
        scope.insert(cte.common_table_expr().ctename());
      }
    }
    compiler::for_each_child(static_cast<Message&>(select), [&](Message& child, const auto& field) {
      if (field.name() != "with_clause") visit(child, scope);
    });
  }

  /// Index in `then` of the object that a name meant for which the first schema of the path decides; -1: none is known.
  [[nodiscard]] int meant(const std::string& kind, const Name& name) const {
    int best = -1;
    std::size_t best_place = path_.size();
    for (std::size_t i = 0; i < names_.then.size(); ++i) {
      const auto& object = names_.then[i];
      if (object.kind != kind || object.name != name.second) continue;
      if (!name.first.empty()) {
        if (object.schema == name.first) return static_cast<int>(i);
        continue;
      }
      const auto place = static_cast<std::size_t>(std::find(path_.begin(), path_.end(), object.schema) - path_.begin());
      if (place < best_place) {
        best = static_cast<int>(i);
        best_place = place;
      }
    }
    return best;
  }

  [[nodiscard]] const NamedObject& now(int index) const {
    const auto at = static_cast<std::size_t>(index);
    if (names_.now[at].name.empty())
      throw CannotFollow(names_.then[at].kind + " " + names_.then[at].schema + "." + names_.then[at].name +
                         " was dropped");
    return names_.now[at];
  }

  void relation(pg_query::RangeVar& range, const Scope& scope) {
    if (range.schemaname().empty() && scope.contains(range.relname())) return;
    const int index = meant("relation", {range.schemaname(), range.relname()});
    if (index < 0) return;
    const auto& name = relations_.at(now(index).oid);
    if (!range.has_alias() && name.second != range.relname()) range.mutable_alias()->set_aliasname(range.relname());
    range.clear_catalogname();
    range.set_schemaname(name.first);
    range.set_relname(name.second);
  }

  /// schema.table.column: the relation's name is its alias now.
  void column(pg_query::ColumnRef& ref) {
    auto& fields = *ref.mutable_fields();
    if (fields.size() < 3 || !fields[0].has_string() || !fields[1].has_string()) return;
    if (meant("relation", {fields[0].string().sval(), fields[1].string().sval()}) >= 0) fields.DeleteSubrange(0, 1);
  }

  void type(NameList& list) {
    if (!list.empty()) first_in_path("type", list);
  }

  void first_in_path(const std::string& kind, NameList& list) {
    const int index = meant(kind, name_in(list));
    if (index >= 0) write_name(list, now(index).qualified());
  }

  /// What the functions or operators that a name may have meant are called now; there can be several of one name.
  [[nodiscard]] std::set<Name> today(const std::string& kind, const Name& name) const {
    std::set<Name> result;
    for (std::size_t i = 0; i < names_.then.size(); ++i) {
      const auto& object = names_.then[i];
      if (object.kind != kind || object.name != name.second) continue;
      const bool fits = name.first.empty() ? std::find(path_.begin(), path_.end(), object.schema) != path_.end()
                                           : object.schema == name.first;
      if (fits) result.insert(now(static_cast<int>(i)).qualified());
    }
    return result;
  }

  void function(NameList& list) {
    const Name name = name_in(list);
    const auto found = today("function", name);
    if (found.empty()) return;
    const bool several = found.size() > 1 || (name.first.empty() && names_.builtin_functions.contains(name.second));
    if (!several) {
      write_name(list, *found.begin());
      return;
    }
    // Which of them it is, PostgreSQL decides by the arguments. Where schemas alone differ the path has them.
    const bool renamed =
        std::any_of(found.begin(), found.end(), [&](const Name& n) { return n.second != name.second; });
    if (renamed || !name.first.empty())
      throw CannotFollow("function " + name.second + " was renamed or moved, and others of that name are used too");
  }

  /// Operators cannot be renamed; unqualified ones are found through the path.
  void operation(NameList& list) {
    const Name name = name_in(list);
    if (name.first.empty()) return;
    const auto found = today("operator", name);
    if (found.size() == 1) write_name(list, *found.begin());
    if (found.size() > 1) throw CannotFollow("operators " + name.second + " were moved to different schemas");
  }

  const Names& names_;
  const RelationNames& relations_;
  std::vector<std::string> path_;
};

void rename_in(Message& message, const std::map<Name, Name>& names) {
  if (typeid(message) == typeid(pg_query::RangeVar)) {
    auto& range = static_cast<pg_query::RangeVar&>(message);
    if (const auto found = names.find({range.schemaname(), range.relname()}); found != names.end()) {
      if (!range.has_alias()) range.mutable_alias()->set_aliasname(range.relname());
      range.set_schemaname(found->second.first);
      range.set_relname(found->second.second);
    }
  }
  if (typeid(message) == typeid(pg_query::TypeName)) {
    auto& list = *static_cast<pg_query::TypeName&>(message).mutable_names();
    if (const auto found = names.find(name_in(list)); found != names.end()) write_name(list, found->second);
  }
  compiler::for_each_child(message, [&](Message& child, const auto&) { rename_in(child, names); });
}

void find_constants(Message& message, const std::function<bool(const std::string&)>& wanted,
                    std::vector<pg_query::A_Const*>& found) {
  if (typeid(message) == typeid(pg_query::A_Const)) {
    auto& constant = static_cast<pg_query::A_Const&>(message);
    if (constant.has_sval() && wanted(constant.sval().sval())) found.push_back(&constant);
  }
  compiler::for_each_child(message, [&](Message& child, const auto&) { find_constants(child, wanted, found); });
}

}  // namespace

void rename_objects(pg_query::SelectStmt& query, const Names& names, const RelationNames& relations) {
  Renamer(names, relations).visit(query, {});
}

void rename_relations(pg_query::SelectStmt& query, const std::map<Name, Name>& names) {
  rename_in(query, names);
}

std::vector<pg_query::A_Const*> string_constants(pg_query::SelectStmt& query,
                                                 const std::function<bool(const std::string&)>& wanted) {
  std::vector<pg_query::A_Const*> found;
  find_constants(query, wanted, found);
  return found;
}

std::map<Name, int> function_calls(const pg_query::SelectStmt& query) {
  std::map<Name, int> calls;
  compiler::walk(query, [&](const pg_query::Node& node) {
    if (node.has_func_call()) ++calls[compiler::qualified_name(node.func_call().funcname())];
    return true;
  });
  return calls;
}

}  // namespace pgtrickle::catalog
