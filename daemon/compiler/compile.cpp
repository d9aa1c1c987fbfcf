#include "compiler/compile.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <sstream>

#include "compiler/analyze/analyzer.h"
#include "compiler/analyze/settings.h"
#include "compiler/operators/temporal_filter.h"
#include "compiler/parse/ast.h"
#include "compiler/parse/clock.h"
#include "compiler/passes/check_tree.h"
#include "compiler/passes/describe_tree.h"
#include "compiler/passes/prune_columns.h"
#include "compiler/passes/push_filters.h"
#include "compiler/plan/cut.h"
#include "compiler/program/program_writer.h"
#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

namespace {

#ifdef NDEBUG
constexpr bool kChecked = false;
#else
constexpr bool kChecked = true;  // the tree, after each pass
#endif

std::string describe_plan(const CutPlan& plan, const Target& target, const std::vector<std::string>& notes,
                          const std::vector<std::string>& advice) {
  std::ostringstream out;
  std::vector<std::string> all_notes = notes;
  for (const auto& node : plan.inner) {
    out << "Node " << node->node_number() << ", state in " << node->state_table() << ":\n";
    out << describe_tree(*node, 1, true);
    for (const auto& note : node->notes()) all_notes.push_back(note);
  }
  out << "Stream table";
  if (plan.root_state != nullptr) out << ", state in " << plan.root_state->state_table();
  out << (target.keyed() ? ", rows identified by key:\n" : ", rows identified by the hash of the whole row:\n");
  out << describe_tree(*plan.root, 1, true);
  if (plan.root_state != nullptr)
    for (const auto& note : plan.root_state->notes()) all_notes.push_back(note);
  for (const auto& note : all_notes) out << "Note: " << note << "\n";
  if (!advice.empty()) out << "Indexes that a delta would use and that do not exist:\n";
  for (const auto& line : advice) out << "  " << line << "\n";
  return out.str();
}

/// What an operator and all below it read, in tree order.
void collect_reads(const Operator& op, std::vector<Operator::Reads>& reads) {
  if (auto own = op.reads()) reads.push_back(std::move(*own));
  for (const auto& input : op.inputs()) collect_reads(*input, reads);
}

std::vector<CapturedSource> captured_sources(const CutPlan& plan, const CompileRequest& request) {
  const std::map<std::uint32_t, SourceId> log_ids(request.log_ids.begin(), request.log_ids.end());
  std::map<std::uint32_t, CapturedSource> by_relid;
  std::map<std::uint32_t, std::set<std::int16_t>> columns;
  std::vector<Operator::Reads> all_reads;
  for (const auto* tree : plan.trees()) collect_reads(*tree, all_reads);
  for (const auto& reads : all_reads) {
    const Source& source = *reads.source;
    auto& entry = by_relid[source.relid];
    entry.source = &source;
    const auto id = log_ids.find(source.relid);
    entry.log_id = id == log_ids.end() ? 0 : id->second;
    for (const int position : reads.columns) {
      const auto& col = source.columns[static_cast<std::size_t>(position)];
      if (!col.owner_may_select)
        throw Unsupported("the owner may not SELECT column \"" + col.name + "\" of " +
                              qualified(source.schema, source.name) +
                              " itself: a view reads it with the rights of the view's owner",
                          col.name, "GRANT SELECT on it to " + quote_ident(request.owner) + ", or use FULL.");
      columns[source.relid].insert(col.attnum);
    }
  }
  std::vector<CapturedSource> result;
  for (auto& [relid, entry] : by_relid) {
    entry.columns.assign(columns[relid].begin(), columns[relid].end());
    result.push_back(std::move(entry));
  }
  return result;
}

/// Without the settings that it does not depend on.
CompileRequest with_settings_in_use(CompileRequest request, const pg_query::SelectStmt& select, const Catalog& catalog,
                                    const std::vector<CapturedSource>& sources) {
  std::vector<const SourceColumn*> columns;
  for (const auto& source : sources)
    for (const auto& column : source.source->columns)
      if (std::find(source.columns.begin(), source.columns.end(), column.attnum) != source.columns.end())
        columns.push_back(&column);
  std::vector<TypeInfo> results;
  for (const auto& column : request.columns) results.push_back(column.type);
  if (!depends_on_settings(select, catalog, columns, results)) request.settings.clear();
  return request;
}

bool breaks_ties(const Operator& op) {
  return op.breaks_ties() || std::any_of(op.inputs().begin(), op.inputs().end(),
                                         [](const OperatorPtr& input) { return breaks_ties(*input); });
}

/// The operator in the way of monotony; empty if there is none. The tree is not cut yet.
std::string non_monotone(const Operator& op) {
  if (auto own = op.non_monotone()) return one_line(*own, 200);
  for (const auto& input : op.inputs())
    if (auto below = non_monotone(*input); !below.empty()) return below;
  return {};
}

/// Asked between the passes: who compiles for longer keeps others waiting.
class Stopwatch {
 public:
  explicit Stopwatch(std::chrono::milliseconds limit) : limit_(limit) {}
  void check() const {
    if (std::chrono::steady_clock::now() - begun_ <= limit_) return;
    throw Unsupported("compiling it takes longer than " + std::to_string(limit_.count()) + " ms", {},
                      "Simplify the query, or split it into stream tables that read each other.");
  }

 private:
  std::chrono::milliseconds limit_;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

/// Whether rows come and go as time passes.
bool follows_time(const CutPlan& plan) {
  const auto trees = plan.trees();
  return std::any_of(trees.begin(), trees.end(), [](const Operator* tree) { return !temporal_filters(*tree).empty(); });
}

Program compile_differential(const CompileRequest& request, const pg_query::SelectStmt& select, const Catalog& catalog,
                             TypeOracle& oracle) {
  const Stopwatch stopwatch(request.limits.time);
  Program program;
  Analysis analysis = analyze(select, catalog, request.limits);
  OperatorPtr root = std::move(analysis.root);
  bool typed = false;
  const auto done = [&](const char* pass) {
    stopwatch.check();
    if (kChecked) check_tree(*root, typed);
    if (request.trace) program.trace += std::string(pass) + "\n" + describe_tree(*root, 1, false) + "\n";
  };
  done("analyze");
  root->resolve_types(oracle);
  typed = true;
  done("resolve types");
  push_filters(root);
  done("push filters");
  if (root->columns().size() != request.columns.size())
    throw Rejected("the stream table has " + std::to_string(request.columns.size()) + " columns, its query " +
                       std::to_string(root->columns().size()),
                   {},
                   "Columns were added to or dropped from the table: undo that, or drop and create the stream table.");
  prune_columns(*root);
  done("prune columns");
  const std::string definite = breaks_ties(*root) ? root->post().query().sql() : std::string();
  const std::string in_the_way = non_monotone(*root);
  const CutPlan plan = cut(std::move(root), request.id);
  stopwatch.check();
  if (request.trace)
    for (const auto* tree : plan.trees()) program.trace += "cut\n" + describe_tree(*tree, 1, false) + "\n";
  const auto nodes = plan.inner.size() + (plan.root_state != nullptr ? 1 : 0);
  if (nodes > static_cast<std::size_t>(request.limits.nodes))
    throw Unsupported("the query needs " + std::to_string(nodes) + " nodes with state; the limit is " +
                          std::to_string(request.limits.nodes) + " (compiler.max_nodes)",
                      {}, "Simplify the query, or raise the limit in the configuration of the daemon.");

  const auto sources = captured_sources(plan, request);
  SourceNumbers numbers;
  for (const auto& source : sources) numbers.add(source.source->relid, source.log_id, source.source->name);
  program.follows_time = follows_time(plan);
  if (program.follows_time) {
    if (request.immediate)
      throw Unsupported("time passes without a statement that an IMMEDIATE stream table could follow",
                        time_dependence(select),
                        "Use DIFFERENTIAL or AUTO: the daemon refreshes it when rows come and go as time passes.");
    numbers.add(kTime, 0, "time");
    program.reason = "rows come and go as time passes: it does not sleep, but is looked at once per period";
  }
  for (auto* tree : plan.trees()) tree->number(numbers);

  program.differential = true;
  program.definite_query = definite;
  program.non_monotone = request.immediate ? "IMMEDIATE, which follows each statement once" : in_the_way;
  for (const auto& source : sources) {
    SourceUse use;
    use.relid = source.source->relid;
    use.columns = source.columns;
    for (const auto& col : source.source->columns)
      if (std::find(use.columns.begin(), use.columns.end(), col.attnum) != use.columns.end())
        use.column_names.push_back(col.name);
    use.captured = true;
    program.sources.push_back(std::move(use));
  }
  // Advice first: it also tells inner nodes which of their columns are looked up, before their DDL is written.
  std::vector<std::string> advice;
  for (const auto* tree : plan.trees()) tree->index_advice(advice);
  stopwatch.check();
  program.plan = write_differential(
      with_settings_in_use(request, select, catalog, sources), plan, numbers, sources, advice.empty(), program,
      [&](const Target& target) { return describe_plan(plan, target, analysis.notes, advice); });
  return program;
}

Program compile_full(const CompileRequest& request, const pg_query::SelectStmt& select, const Catalog& catalog,
                     const std::string& reason, const std::string& hint) {
  Program program;
  program.reason = reason;
  program.hint = hint;
  program.non_monotone = "it is recomputed: " + reason;
  std::set<std::uint32_t> seen;
  std::function<void(const pg_query::SelectStmt&)> collect = [&](const pg_query::SelectStmt& query) {
    walk(query, [&](const Node& node) {
      if (node.has_range_var()) {
        const auto found = catalog.sources.find({node.range_var().schemaname(), node.range_var().relname()});
        if (found != catalog.sources.end() && seen.insert(found->second.relid).second) {
          SourceUse use;
          use.relid = found->second.relid;
          for (const auto& col : found->second.columns) {
            use.columns.push_back(col.attnum);
            use.column_names.push_back(col.name);
          }
          program.sources.push_back(std::move(use));
        }
      }
      return true;
    });
  };
  collect(select);
  program.plan = "Recompute the query and apply the difference  [O(n)]\nReason: " + reason + "\n";
  write_full(request, program);
  return program;
}

}  // namespace

References references(const std::string& query) {
  const auto select = parse_select(query);
  std::set<std::pair<std::string, std::string>> relations;
  std::set<FunctionKey> functions;
  std::set<FunctionKey> operators;
  walk(select, [&](const Node& node) {
    if (node.has_range_var()) relations.emplace(node.range_var().schemaname(), node.range_var().relname());
    if (node.has_func_call()) {
      auto [schema, name] = qualified_name(node.func_call().funcname());
      functions.insert({std::move(schema), std::move(name), node.func_call().args_size()});
    }
    if (node.has_a_expr()) {
      auto [schema, name] = qualified_name(node.a_expr().name());
      if (!schema.empty()) operators.insert({std::move(schema), std::move(name), -1});
    }
    return true;
  });
  return {
      {relations.begin(), relations.end()}, {functions.begin(), functions.end()}, {operators.begin(), operators.end()}};
}

void check_size(std::int64_t bytes, const Limits& limits) {
  if (bytes <= limits.query_bytes) return;
  throw Rejected("the query is too long: " + std::to_string(bytes) + " bytes; the limit is " +
                     std::to_string(limits.query_bytes) + " (compiler.max_query_bytes)",
                 {},
                 "Keep long constants in a table and join it, or raise the limit in the configuration of the daemon.");
}

void check_nesting(const std::string& query, const Limits& limits) {
  try {
    parse_select(query, limits.nesting);
  } catch (const Rejected&) {
    throw;
  } catch (const Unsupported&) {
    // Syntax that is newer than the parser; compile() knows what to do.
  }
}

Program compile(const CompileRequest& request, const Catalog& catalog, TypeOracle& oracle) {
  check_size(static_cast<std::int64_t>(request.query.size()), request.limits);
  pg_query::SelectStmt select;
  try {
    select = parse_select(request.query, request.limits.nesting);
  } catch (const Rejected&) {
    throw;
  } catch (const Unsupported& e) {
    return compile_full(request, select, catalog, e.what(), e.hint());
  }
  reject_invalid(select);
  if (request.force_full) {
    const bool asked = request.full_reason.empty();
    return compile_full(request, select, catalog, asked ? "refresh_mode is FULL" : request.full_reason, {});
  }
  try {
    return compile_differential(request, select, catalog, oracle);
  } catch (const Rejected&) {
    throw;
  } catch (const Unsupported& e) {
    std::string reason = e.what();
    if (!e.fragment().empty() && reason.find(e.fragment()) == std::string::npos) reason += ": " + e.fragment();
    return compile_full(request, select, catalog, reason, e.hint());
  }
}

}  // namespace pgtrickle::compiler
