#include "sql/features/support_document.h"

#include <algorithm>
#include <sstream>

#include "compiler/limits.h"
#include "support/plan.h"

namespace pgt::test {
namespace {

constexpr const char* kHead = R"(# SQL support

Generated from `tests/sql/features/` by `docs/generate/sql_support.sh`; do not edit. Every row is a query that a test builds
as a stream table in each mode, changes the sources of, refreshes and compares with the query's own result; the columns say
what was seen. On PostgreSQL 15. The changes are inserts, updates of keys and of values, deletes, on several tables in one step,
with NULLs and duplicates among them, until the tables are empty.

## How to read the tables

**DIFFERENTIAL**: a refresh applies the changes since the last one. Where the answer is no, `refresh_mode => 'AUTO'` falls back
to FULL, `DIFFERENTIAL` is refused, and the reason is the one given here and by `pgtrickle.explain_refresh_mode()`.
**FULL**: a refresh runs the query again and writes the rows that differ.
**IMMEDIATE**: triggers maintain it within the transaction of the change; nothing refreshes it.

**Cost** is what a differential refresh does, per operator; `pgtrickle.explain_stream_table()` shows the same for a whole plan.
An operator that is not mentioned costs O(delta): scans, filters, projections and more. `tests/cost/` measures each class that
is named here: the same changes over tables of two sizes touch the same number of rows, or the test fails.

| operator | is |
|---|---|
| Join, Left join, Right join, Full join | a join; inner and cross joins are one operator over all their inputs |
| Semi join, Anti join | EXISTS and IN, NOT EXISTS and NOT IN, where they are a condition of their own |
| Apply | any other subquery in an expression: its value for each distinct tuple of outer values |
| Lateral | a LATERAL subquery: its rows for each distinct tuple of outer values. One that reads no table is a Function: O(delta) |
| Recursive | WITH RECURSIVE: all rows of its result are kept |
| Aggregate, Distinct | GROUP BY, DISTINCT, UNION, INTERSECT, EXCEPT |
| GroupingSets | a row once per grouping set, below the Aggregate |
| DistinctOn, Window, TopK | DISTINCT ON, window functions, ORDER BY with LIMIT or OFFSET |

| class | a refresh touches |
|---|---|
| O(delta) | as many rows as changed, whatever the size of the tables |
| O(delta x matches) | the changed rows and the rows that they join with, found by index |
| O(delta + input): no index can serve the equality | the changed rows, and the other side once: an expression is compared, or a value that is itself computed |
| O(delta x matches), O(input) when the single row changes | as O(delta x matches); when the one row of the other side (a scalar subquery) changes, all rows are compared with its old and its new value |
| O(delta x k sets) | the changed rows, once per grouping set |
| O(delta), a group when its extremum is deleted | as O(delta); deleting the least or greatest value of a group reads the group again |
| O(affected groups) | all rows of the groups in which something changed |
| O(rows of affected keys) | all rows of the keys or partitions in which something changed |
| O(delta x affected keys) | the subquery, once per distinct outer key that a change can concern |
| O(affected keys), every key is tested: O(keys) | as before, but which keys are concerned is found by testing all |
| O(rows that change and their matches) | of WITH RECURSIVE the rows that come, go, or lose one of several derivations, and what they join with, found by index |
| O(rows that change), O(n) when some go: no index finds what they come from | the same; when rows go, all of the recursive term is computed once, to find what else they derive from |
| O(delta), a rerun with LIMIT when the top changes | as O(delta) while no change reaches the top rows; otherwise the query is run with its LIMIT, which an index on the first sort column ends early |
| O(delta), O(input) when the top changes | the same where no plain index has that order (an expression, NULLS where the index does not have them, an aggregate's value): the query is run in full |
| O(delta), O(input) while nothing matches or when that changes | as O(delta) once a row matches; as long as there is none, looking for one reads that side, and the first match or the end of the last one concerns every row |
| O(delta x input): no equality between the sides | the changed rows, each compared with the whole other side |
| O(value) | what recomputing the value reads |
| O(n) | everything |

"Found by index" needs the index: what is missing is listed at the end of the plan. The stream table's own state has its
indexes.

## Ties

`ORDER BY .. LIMIT` and `DISTINCT ON` leave open which of several rows that sort alike is taken. A stream table breaks such ties
by all columns of the result, so that it always holds the same, valid answer; running the query may show another of the tied
rows. `FETCH FIRST .. WITH TIES` has all of them and agrees.

## Limits

)";

std::string cell(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, "\\");
  return text;
}

}  // namespace

std::string cost_of_plan(const std::string& plan) {
  std::vector<std::string> classes;
  for (const auto& line : plan_lines(plan)) {
    if (line.cost == "O(delta)" || line.cost == "constant") continue;
    const std::string entry = line.op == "Recompute" ? line.cost : line.op + ": " + line.cost;
    if (std::find(classes.begin(), classes.end(), entry) == classes.end()) classes.push_back(entry);
  }
  if (classes.empty()) return "O(delta)";
  std::string text;
  for (const auto& entry : classes) text += (text.empty() ? "" : "; ") + entry;
  return text;
}

std::string support_document(const std::vector<FeatureGroup>& groups) {
  const pgtrickle::compiler::Limits limits;
  std::ostringstream out;
  out << kHead << "- " << limits.nesting << " levels of expressions or of queries within queries\n- " << limits.nodes
      << " operators with state (nodes) in one stream table\n- " << limits.grouping_branches
      << " grouping sets in one GROUP BY\n\nA query beyond them is maintained in mode FULL.\n";
  for (const auto& group : groups) {
    out << "\n## " << group.title
        << "\n\n| feature | DIFFERENTIAL | FULL | IMMEDIATE | cost |\n|---|---|---|---|---|\n";
    for (const auto& record : group.records) {
      out << "| " << cell(record.feature) << " | " << cell(record.differential) << " | " << cell(record.full) << " | "
          << cell(record.immediate) << " | " << cell(record.cost) << " |\n";
    }
  }
  return out.str();
}

}  // namespace pgt::test
