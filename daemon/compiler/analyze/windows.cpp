// Window functions: each call leaves its expression and becomes a column of a Window operator; calls over the same
// partitioning share one.
#include <algorithm>

#include "compiler/analyze/query_analyzer.h"
#include "compiler/operators/window.h"

namespace pgtrickle::compiler {

namespace {

/// OVER w and OVER (w ...) with the definition of w written out.
void inline_definition(pg_query::WindowDef& over, const std::vector<pg_query::WindowDef>& named) {
  const std::string& name = over.name().empty() ? over.refname() : over.name();
  if (name.empty()) return;
  const auto found =
      std::find_if(named.begin(), named.end(), [&](const pg_query::WindowDef& def) { return def.name() == name; });
  if (found == named.end()) throw Unsupported("window \"" + name + "\" is not known", name);
  if (!over.name().empty()) {
    over = *found;
  } else {
    *over.mutable_partition_clause() = found->partition_clause();
    if (over.order_clause().empty()) *over.mutable_order_clause() = found->order_clause();
  }
  over.clear_name();
  over.clear_refname();
}

}  // namespace

bool QueryAnalyzer::has_window(const Node& expr) {
  bool found = false;
  walk_own(expr, [&](const Node& node) {
    found = found || (node.has_func_call() && node.func_call().has_over());
    return !found;
  });
  return found;
}

void QueryAnalyzer::inline_windows(pg_query::SelectStmt& select) {
  if (select.window_clause().empty()) return;
  std::vector<pg_query::WindowDef> named;
  for (const auto& node : select.window_clause()) {
    pg_query::WindowDef def = node.window_def();
    const std::string name = def.name();
    def.clear_name();
    inline_definition(def, named);  // a window may be based on an earlier one
    def.set_name(name);
    named.push_back(std::move(def));
  }
  select.clear_window_clause();
  auto expand = [&](Node& expr) {
    rewrite(expr, [&](Node& node) {
      if (node.has_sub_link()) return true;
      if (node.has_func_call() && node.func_call().has_over())
        inline_definition(*node.mutable_func_call()->mutable_over(), named);
      return false;
    });
  };
  for (auto& node : *select.mutable_target_list()) expand(node);
  for (auto& node : *select.mutable_sort_clause()) expand(node);
  for (auto& node : *select.mutable_distinct_clause()) expand(node);
}

OperatorPtr QueryAnalyzer::extract_windows(OperatorPtr input, const std::vector<Node*>& exprs) {
  struct Group {
    std::vector<Node> partition;
    std::vector<Node> calls;
  };
  std::vector<Group> groups;
  auto same = [](const std::vector<Node>& a, const std::vector<Node>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), equal);
  };
  for (const Node* expr : exprs) {
    walk(*expr, [&](const Node& node) {
      if (!node.has_func_call() || !node.func_call().has_over()) return true;
      std::vector<Node> partition(node.func_call().over().partition_clause().begin(),
                                  node.func_call().over().partition_clause().end());
      auto group =
          std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return same(g.partition, partition); });
      if (group == groups.end()) group = groups.insert(groups.end(), Group{std::move(partition), {}});
      auto& calls = group->calls;
      if (std::none_of(calls.begin(), calls.end(), [&](const Node& call) { return equal(call, node); }))
        calls.push_back(node);
      return false;
    });
  }
  for (auto& group : groups) {
    const int base = static_cast<int>(input->columns().size());
    std::vector<std::string> names;
    for (const auto& call : group.calls) names.push_back(qualified_name(call.func_call().funcname()).second);
    const auto calls = group.calls;
    input = std::make_unique<Window>(std::move(input), std::move(group.calls), group.partition, names);
    for (Node* expr : exprs) {
      rewrite(*expr, [&](Node& node) {
        for (std::size_t i = 0; i < calls.size(); ++i) {
          if (!equal(node, calls[i])) continue;
          node = column(base + static_cast<int>(i));
          return true;
        }
        return false;
      });
    }
  }
  return input;
}

}  // namespace pgtrickle::compiler
