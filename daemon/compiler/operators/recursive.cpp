#include "compiler/operators/recursive.h"

#include <algorithm>
#include <stdexcept>

#include "compiler/operators/bag_state.h"
#include "compiler/sql/recursion.h"
#include "compiler/sql/rows.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

namespace {

constexpr std::size_t kMaxIndexColumns = 32;
/// Rows that a recursion begins with, as a relation of which PostgreSQL expects half a percent: it takes a recursion
/// for ten times as large in every round, and would read all of a table for the few rows that there are. OFFSET keeps
/// the condition where it is.
Select expected_few(const Query& rows, const std::vector<std::string>& columns) {
  Select all({"*"});
  all.from(rows, "r", columns).offset("0");
  Select few(prefixed(columns, "e."));
  few.from(all, "e");
  if (!columns.empty()) few.where("num_nulls(e." + columns.front() + ") * 0 = 0");
  return few;
}

constexpr const char* kSelf = "\"pgt self\"";  // the rows of the recursion: a name that no CTE of a statement has
constexpr const char* kLimit = "pgtrickle._recursion_limit() + 1";
// To follow a row of a UNION, which is in doubt, looked for, and derived again, costs several times what a row of the
// query does. To follow one of a UNION ALL costs about the same.
constexpr const char* kUnionShare = "0.125";
constexpr const char* kUnionAllShare = "1";

/// A condition that reads no row: PostgreSQL does not start what it is false for.
std::string gave_up(const std::string& way) {
  return Query(Select({"u.given_up"}).from(way, "u")).in_parentheses();
}
std::string went_on(const std::string& way) {
  return "NOT " + gave_up(way);
}
/// One row more than that: enough to know.
std::string one_more_than(const std::string& budget) {
  return Query(Select({"b.most + 1"}).from(budget, "b")).in_parentheses();
}

}  // namespace

Recursive::Recursive(std::shared_ptr<RecursiveRows> rows, OperatorPtr base, OperatorPtr step, bool all)
    : rows_(std::move(rows)), all_(all) {
  columns_ = base->columns();
  for (std::size_t i = 0; i < columns_.size(); ++i)
    columns_[i].not_null = columns_[i].not_null && step->columns().at(i).not_null;
  inputs_.push_back(std::move(base));
  inputs_.push_back(std::move(step));
}

std::vector<TypeInfo> Recursive::types() const {
  std::vector<TypeInfo> types;
  for (const auto& col : columns_) types.push_back(col.type.value());
  return types;
}

Select Recursive::typed(const FromItem& from) const {
  Select select;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const auto& mine = step().columns()[i];
    std::string expr = "i." + quote_ident(mine.name);
    const auto& type = columns_[i].type;
    if (type && mine.type && mine.type->oid != type->oid) expr += "::" + type->name;
    select.item(expr, quote_ident(columns_[i].name));
  }
  return select.from(from, "i");
}

Select Recursive::step_over(const FromItem& rows) const {
  rows_->from = rows;
  return typed(step().post());
}

Select Recursive::base_rows() const {
  return Select(base().column_names("b.")).from(base().post(), "b");
}

/// Netted: a row that base has in another number of copies.
FromItem Recursive::base_changes(Statement& statement) const {
  const Delta changes = base().delta(statement, true);
  Select rows(base().column_names("b."));
  rows.item("b.w").from(changes.from, "b").where(statement.gate(base().source_mask()));
  return changes.consolidated ? FromItem(rows) : FromItem(consolidate(column_names(), types(), rows));
}

FromItem Recursive::step_changes(Statement& statement, const FromItem& rows) const {
  rows_->from = rows;
  return typed(step().delta(statement, false).from).item("i.w").where(statement.gate(step().source_mask()));
}

Query Recursive::closure(const Query& first, const std::vector<std::string>& where, const std::string& limit) const {
  Select step = step_over(kSelf);
  if (!where.empty()) step = Select(column_names("q.")).from(step, "q").where(where);
  Select all(column_names("r."));
  all.from(kSelf, "r");
  if (!limit.empty()) all.limit(limit);
  return recursion({kSelf, column_names(), first, step, all_}, all);
}

std::string Recursive::budget(Statement& statement, const char* share) const {
  return statement.with(
      "budget", "how many rows may be followed",
      Select().item("pgtrickle._recursion_budget(" + quote_literal(state_table()) + "::regclass, " + share + ")",
                    "most"));
}

std::string Recursive::given_up(Statement& statement, const std::vector<std::string>& followed,
                                const std::string& budget) {
  std::vector<std::string> counts;
  for (const auto& rows : followed) counts.push_back(Query(Select({"count(*)"}).from(rows, "r")).in_parentheses());
  return statement.with("way", "whether these are too many: then all rows are derived once more",
                        Select().item("greatest(" + join(counts, ", ") + ") > b.most", "given_up").from(budget, "b"));
}

std::string Recursive::derived_from_base(Statement& statement, const std::string& way) const {
  return statement.with("fresh", "all rows, if so",
                        closure(Select(column_names("f.")).from(base_rows(), "f").where(gave_up(way)), {}, kLimit));
}

std::string Recursive::say_given_up(const std::string& way) const {
  return "pgtrickle._say_derived_from_base(" + quote_literal(rows_->name) + ", " + gave_up(way) + ")";
}

std::string Recursive::limit_check(const std::string& rows) const {
  return "pgtrickle._within_recursion(" + quote_literal(rows_->name) + ", " +
         Query(Select({"count(*)"}).from(rows, "r")).in_parentheses() + ")";
}

FromItem Recursive::post() const {
  return closure(base_rows(), {}, {});
}

Delta Recursive::delta(Statement& /*statement*/, bool /*consolidate*/) const {
  throw std::logic_error("a recursion has to be cut out as a node first");
}

std::vector<int> Recursive::prune(const std::set<int>& /*needed*/) {
  // Rows are told apart by all columns, and the term may read any.
  std::set<int> all;
  for (std::size_t i = 0; i < columns_.size(); ++i) all.insert(static_cast<int>(i));
  for (auto& input : inputs_) {
    const auto mapping = input->prune(all);
    bool same = input->columns().size() == all.size();
    for (const int index : all) same = same && mapping.at(static_cast<std::size_t>(index)) == index;
    if (same) continue;
    std::vector<Node> exprs;
    std::vector<std::string> names;
    for (const int index : all) {
      const int moved = mapping.at(static_cast<std::size_t>(index));
      exprs.push_back(column(moved));
      names.push_back(input->columns().at(static_cast<std::size_t>(moved)).name);
    }
    input = make_projection(std::move(input), std::move(exprs), names);
  }
  for (std::size_t i = 0; i < columns_.size(); ++i) columns_[i].name = base().columns()[i].name;
  return {all.begin(), all.end()};
}

void Recursive::resolve_types(TypeOracle& oracle) {
  inputs_[0]->resolve_types(oracle);
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    columns_[i].type = base().columns()[i].type;
    columns_[i].typmod = base().columns()[i].typmod;
    rows_->columns[i].name = columns_[i].name;
    rows_->columns[i].type = columns_[i].type;
    rows_->columns[i].typmod = columns_[i].typmod;
  }
  rows_->from = base_rows();
  inputs_[1]->resolve_types(oracle);
}

std::vector<Key> Recursive::keys() const {
  if (all_) return {};
  Key key;
  for (std::size_t i = 0; i < columns_.size(); ++i) key.push_back(static_cast<int>(i));
  return {key};
}

bool Recursive::plain_identity() const {
  return !columns_.empty() && columns_.size() <= kMaxIndexColumns &&
         std::all_of(columns_.begin(), columns_.end(), [](const OutputColumn& col) {
           return col.not_null && col.type->equatable && col.type->builtin_operators && col.type->fixed_width;
         });
}

std::vector<std::string> Recursive::is_stored(const std::string& row) const {
  return row_match(column_names("s."), column_names(row + "."), types(), plain_identity());
}

std::vector<std::string> Recursive::state_ddl() const {
  std::vector<std::string> ddl{empty_table(state_table(), post().query())};
  auto add = [&](std::string index) {
    if (std::find(ddl.begin(), ddl.end(), index) == ddl.end()) ddl.push_back(std::move(index));
  };
  if (plain_identity()) {
    add("CREATE INDEX ON " + state_table() + " (" + join(column_names(), ", ") + ")");
    // Should a source lose the NOT NULL that this relies on, the refresh fails and the program is recreated.
    for (const auto& name : column_names())
      add("ALTER TABLE " + state_table() + " ALTER COLUMN " + name + " SET NOT NULL");
  } else {
    add("CREATE INDEX ON " + state_table() + " (" + row_hash(column_names(), types(), "") + ")");
  }
  std::set<int> lookups = lookups_;
  lookups.insert(rows_->lookups.begin(), rows_->lookups.end());
  for (const int column : lookups)
    if (column != 0 || !plain_identity())
      for (auto& index : lookup_ddl(state_table(), columns_.at(static_cast<std::size_t>(column))))
        add(std::move(index));
  return ddl;
}

std::vector<std::string> Recursive::rebuild() const {
  auto statements = refilled(state_table(), column_names(), closure(base_rows(), {}, kLimit));
  statements.push_back("PERFORM " + limit_check(state_table()));
  // Rows are looked up by their hash: without statistics each is expected to be there many times.
  statements.push_back("ANALYZE " + state_table());
  return statements;
}

FromItem Recursive::from_state() const {
  return Select(column_names("s.")).from(state_table(), "s");
}

Changes Recursive::differential(Statement& statement) const {
  return all_ ? counted(statement) : derived_again(statement);
}

/// UNION ALL.
Changes Recursive::counted(Statement& statement) const {
  const auto names = column_names();
  const std::string first = statement.with(
      "first", "rows that come and go at once: by base, and by the term over the stored rows",
      union_all({Select(column_names("b.")).item("b.w").from(base_changes(statement), "b"),
                 Select(column_names("t.")).item("t.w").from(step_changes(statement, from_state()), "t")}));
  const std::string most = budget(statement, kUnionAllShare);
  auto follow = [&](bool come) {
    const Select copies = Select(column_names("f."))
                              .from(first, "f")
                              .cross_join_lateral(come ? "generate_series(1, f.w)" : "generate_series(1, -f.w)")
                              .where(come ? "f.w > 0" : "f.w < 0");
    return statement.with(
        come ? "come" : "go",
        come ? "rows that come, and what the term makes of them" : "rows that go, and what the term makes of them",
        closure(expected_few(copies, names), {}, one_more_than(most)));
  };
  const std::string come = follow(true);
  const std::string go = follow(false);
  const std::string way = given_up(statement, {come, go}, most);
  const std::string fresh = derived_from_base(statement, way);
  // Where the planner knows nothing it expects that all of this is done.
  const Select all_new = expected_few(Select(column_names("a.")).from(fresh, "a").where(gave_up(way)), names);
  const Select all_old = expected_few(Select(column_names("s.")).from(state_table(), "s").where(gave_up(way)), names);
  const std::string z = statement.with(
      "z", "the change, net",
      consolidate(names, types(),
                  union_all({Select(column_names("c.")).item("1", "w").from(come, "c").where(went_on(way)),
                             Select(column_names("g.")).item("-1").from(go, "g").where(went_on(way)),
                             Select(column_names("n.")).item("1").from(all_new, "n"),
                             Select(column_names("o.")).item("-1").from(all_old, "o")})));

  Select copies({"s.ctid"});
  copies.from(state_table(), "s").where(is_stored("z"));
  const auto kinds = types();
  if (std::any_of(kinds.begin(), kinds.end(), [](const TypeInfo& type) { return type.equatable && !type.identity; }))
    copies.where(row_identical(column_names("s."), column_names("z.")));
  copies.limit("-z.w");
  const std::string lost =
      statement.with("lost", "state: copies that are gone",
                     Select({"c.ctid"}).from(z, "z").cross_join_lateral(copies, "c").where("z.w < 0"));
  const Select ctids = Select({"l.ctid"}).from(lost, "l");
  statement.with("gone", "state: without them",
                 Delete(state_table(), "s").where("s.ctid = ANY (ARRAY" + Query(ctids).in_parentheses() + ")"));
  statement.with(
      "born", "state: copies that are new",
      Insert(state_table(), names,
             Select(column_names("z.")).from(z, "z").cross_join_lateral("generate_series(1, z.w)").where("z.w > 0")));
  Changes changes;
  changes.from = z;
  changes.zset = true;
  const Select wanted = Select({"coalesce(sum(-z.w), 0)"}).from(z, "z").where("z.w < 0");
  const Select found = Select({"count(*)"}).from(lost, "l");
  changes.violation = "(" + limit_check(fresh) + " + " + say_given_up(way) + " + " + Query(wanted).in_parentheses() +
                      " - " + Query(found).in_parentheses() + ")::bigint";
  return changes;
}

int Recursive::lookup_column(const Operator& input) const {
  int found = -1;
  for (int i = 0; i < static_cast<int>(columns_.size()); ++i) {
    if (!input.source_of(i)) continue;
    if (input.indexed(i)) return i;
    if (found < 0) found = i;
  }
  return found;
}

bool Recursive::loose() const {
  return std::any_of(columns_.begin(), columns_.end(), [](const OutputColumn& col) { return !col.type->identity; });
}

std::vector<std::vector<std::string>> Recursive::same_row(const std::string& row, const Operator& input) const {
  const auto mine = column_names(row + ".");
  const auto theirs = column_names("q.");
  std::vector<std::string> equal;     // for rows without a NULL
  std::vector<std::string> or_null;   // for the others
  std::vector<std::string> nullable;  // columns
  bool exact = true;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const TypeInfo& type = columns_[i].type.value();
    const bool not_null = input.columns()[i].not_null;
    if (!not_null) nullable.push_back(quote_ident(columns_[i].name));
    if (!type.equatable || !type.builtin_operators) {
      exact = false;
      continue;
    }
    equal.push_back(theirs[i] + " = " + mine[i]);
    if (not_null)
      or_null.push_back(equal.back());
    else if (type.fixed_width)
      or_null.push_back("(" + equal.back() + " OR (" + theirs[i] + " IS NULL AND " + mine[i] + " IS NULL))");
  }
  const std::string same = row_equal(theirs, mine, types());
  if (!exact) equal.push_back(same);
  if (nullable.empty()) return {equal};
  or_null.push_back(same);
  or_null.push_back(any_null(nullable, row + "."));
  return {equal, or_null};
}

std::string Recursive::is_one_of(const std::string& row, const FromItem& rows) const {
  const auto whole = [&](const std::string& alias) {
    return "ROW(" + pgtrickle::compiler::join(column_names(alias + "."), ", ") + ")::" + state_table();
  };
  const Query all = Select({whole("q")}).from(rows, "q");
  return "((coalesce(" + whole(row) + ") IN " + indent(all.in_parentheses(), 4) + ") IS TRUE)";
}

std::vector<std::string> Recursive::among(const std::string& row, const Operator& input, const Select& rows) const {
  // Nothing that an index could find: all rows are made once.
  if (!loose() && lookup_column(input) < 0 && (&input == inputs_[1].get() || input.source_mask() != 0))
    return {is_one_of(row, rows)};
  std::vector<std::string> tests;
  for (auto conditions : same_row(row, input)) {
    if (loose()) conditions.push_back(row_identical(column_names("q."), column_names(row + ".")));
    tests.push_back(exists(Select().from(rows, "q").where(conditions)));
  }
  return tests;
}

std::vector<Query> Recursive::found_again(const std::string& doubtful, const Operator& input,
                                          const Select& rows) const {
  std::vector<Query> found;
  if (!loose()) {
    for (const auto& test : among("d", input, rows))
      found.emplace_back(Select(column_names("d.")).from(doubtful, "d").where(test));
    return found;
  }
  for (const auto& conditions : same_row("d", input))  // as they are written now
    found.emplace_back(Select(column_names("q.")).from(doubtful, "d").from(rows, "q").where(conditions));
  return found;
}

/// UNION.
Changes Recursive::derived_again(Statement& statement) const {
  const auto names = column_names();
  auto wanted = std::vector<std::string>();
  for (const auto& col : columns_) wanted.push_back(col.name);
  wanted.emplace_back("old_ctid");
  const std::string ctid = quote_ident(unique_names(wanted).back());
  auto with_ctid = names;
  with_ctid.push_back(ctid);

  // Rows whose support is in doubt.
  const std::string base_delta = statement.with_name_of(base_changes(statement), "base", "rows of base that changed");
  const Select lost_rows =
      Select(column_names("x."))
          .from(
              union_all({Select(column_names("b.")).from(base_delta, "b").where("b.w < 0"),
                         Select(column_names("t.")).from(step_changes(statement, from_state()), "t").where("t.w < 0")}),
              "x");
  std::vector<std::string> unfounded;  // what base has needs nothing else, and nothing is in doubt because of it
  for (const auto& test : among("s", base(), base_rows())) unfounded.push_back("NOT " + test);
  auto stored = [&](const FromItem& rows) {
    return Select(column_names("s."))
        .item("s.ctid")
        .from(rows, "x")
        .from(state_table(), "s")
        .where(is_stored("x"))
        .where(unfounded);
  };
  const Select lost = stored(lost_rows);
  const Select follows = stored(step_over(kSelf));
  const std::string most = budget(statement, kUnionShare);
  const std::string doubtful =
      statement.with("doubtful", "stored rows that have lost a derivation, and all that derives from them",
                     recursion({kSelf, with_ctid, expected_few(lost, with_ctid), follows, false},
                               Select(prefixed(with_ctid, "r.")).from(kSelf, "r").limit(one_more_than(most))));
  const std::string way = given_up(statement, {doubtful}, most);
  const std::string fresh = derived_from_base(statement, way);

  // The others, which stay. A subquery that is tested is hashed, whatever joins may be.
  const std::string stays = "s.ctid NOT IN " + Query(Select({"d." + ctid}).from(doubtful, "d")).in_parentheses();
  const Select kept = Select(column_names("s.")).from(state_table(), "s").where(stays);
  auto is_new = [&](const std::string& row) {
    return not_exists(Select().from(state_table(), "s").where(is_stored(row)).where(stays));
  };

  std::vector<Query> first = found_again(doubtful, step(), step_over(kept));
  if (loose())
    for (auto& rows : found_again(doubtful, base(), base_rows())) first.push_back(std::move(rows));
  const FromItem step_news = consolidate(names, types(), step_changes(statement, kept));
  first.emplace_back(Select(column_names("x."))
                         .from(union_all({Select(column_names("b.")).from(base_delta, "b").where("b.w > 0"),
                                          Select(column_names("t.")).from(step_news, "t").where("t.w > 0")}),
                               "x")
                         .where(is_new("x")));
  const Select begins = Select(column_names("f.")).from(union_all(first), "f").where(went_on(way));
  const std::string again = statement.with("derived", "rows that are derived again or newly",
                                           closure(expected_few(begins, names), {is_new("q")}, kLimit));

  const Select all_old = Select(column_names("s.")).item("s.ctid").from(state_table(), "s").where(gave_up(way));
  const Select all_new = Select(column_names("n.")).from(fresh, "n").where(gave_up(way));
  Changes changes =
      BagState(state_table(), columns_)
          .replace(statement,
                   union_all({Select(prefixed(with_ctid, "d.")).from(doubtful, "d").where(went_on(way)),
                              expected_few(all_old, with_ctid)}),
                   union_all({Select(column_names("a.")).from(again, "a"), expected_few(all_new, names)}));
  changes.violation = "(" + limit_check(again) + " + " + limit_check(fresh) + " + " + say_given_up(way) + ")::bigint";
  return changes;
}

std::vector<std::string> Recursive::notes() const {
  return {describe() + ": all rows are derived once more when a refresh would have to follow more than " +
          (all_ ? "there are" : "an eighth of them") + ", and more than 1,000"};
}

std::string Recursive::describe() const {
  return std::string("Recursive ") + rows_->name + (all_ ? " (UNION ALL)" : " (UNION)");
}

std::string Recursive::cost_class() const {
  if (!all_ && lookup_column(step()) < 0)
    return "O(rows that change), O(n) when some go: no index finds what they come from";
  return "O(rows that change and their matches)";
}

void Recursive::index_advice(std::vector<std::string>& advice) const {
  Operator::index_advice(advice);
  if (all_) return;
  for (const auto& input : inputs_)
    if (const int column = lookup_column(*input); column >= 0) input->advise_lookup(column, advice);
}

}  // namespace pgtrickle::compiler
