#include "compiler/operators/lateral.h"

#include "compiler/error.h"
#include "compiler/parse/row_limits.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

namespace {

constexpr const char* kRows = "q";  // the subquery's rows, beside their tuple

void order_also_by(pg_query::SelectStmt& select, const Node& term) {
  auto* by = select.add_sort_clause()->mutable_sort_by();
  *by->mutable_node() = term;
  by->set_sortby_dir(pg_query::SORTBY_DEFAULT);
  by->set_sortby_nulls(pg_query::SORTBY_NULLS_DEFAULT);
}

Node position(std::size_t column) {
  Node node;
  node.mutable_a_const()->mutable_ival()->set_ival(static_cast<int>(column) + 1);
  return node;
}

}  // namespace

Lateral::Lateral(OperatorPtr tuples, std::vector<Feed> feeds, LateralSubquery subquery)
    : KeyedRecompute(std::move(tuples)), subquery_(std::move(subquery)) {
  for (auto& feed : feeds) {
    inputs_.push_back(std::move(feed.relation));
    matches_.push_back(std::move(feed.match));
  }
  for (std::size_t i = 0; i < subquery_.names.size(); ++i) used_.push_back(static_cast<int>(i));
  derive_columns(std::vector<OutputColumn>(used_.size()));
}

void Lateral::derive_columns(std::vector<OutputColumn> added) {
  std::vector<std::string> wanted;
  for (const auto& col : inputs_[0]->columns()) wanted.push_back(col.name);
  for (const int position : used_) wanted.push_back(subquery_.names[static_cast<std::size_t>(position)]);
  const auto unique = unique_names(wanted);
  columns_ = inputs_[0]->columns();
  for (auto& col : added) {
    col.name = unique[columns_.size()];
    columns_.push_back(std::move(col));
  }
}

/// The subquery with its tuple's columns by name.
pg_query::SelectStmt Lateral::over_tuple() const {
  Node node;
  *node.mutable_select_stmt() = subquery_.select;
  return map_columns(node,
                     [&](int index) {
                       return column_ref(kOuterAlias, inputs_[0]->columns().at(static_cast<std::size_t>(index)).name);
                     })
      .select_stmt();
}

/// The subquery as an item of FROM, beside its tuple.
std::string Lateral::item() const {
  Node node;
  auto* range = node.mutable_range_subselect();
  range->set_lateral(true);
  *range->mutable_subquery()->mutable_select_stmt() = over_tuple();
  range->mutable_alias()->set_aliasname(kRows);
  for (const auto& name : subquery_.names) range->mutable_alias()->add_colnames()->mutable_string()->set_sval(name);
  return deparse_from_item(node);
}

std::vector<std::string> Lateral::on() const {
  const PairRow row(*inputs_[0]);
  std::vector<std::string> conditions;
  for (const auto& node : subquery_.conditions) {
    const Node named = row.map(node, [&](SideColumn at) {
      const auto place = static_cast<std::size_t>(at.column);
      return at.side == Side::kLeft ? column_ref(kOuterAlias, inputs_[0]->columns().at(place).name)
                                    : column_ref(kRows, subquery_.names.at(place));
    });
    conditions.push_back("(" + deparse_expr(named) + ")");
  }
  return conditions;
}

Select Lateral::compute(const FromItem& rows) const {
  const std::string outer = quote_ident(kOuterAlias);
  Select select(inputs_[0]->column_names(outer + "."));
  for (std::size_t i = 0; i < used_.size(); ++i)
    select.item(std::string(kRows) + "." + quote_ident(subquery_.names[static_cast<std::size_t>(used_[i])]),
                quote_ident(columns_[width() + i].name));
  return select.from(rows, outer).join(subquery_.outer ? "LEFT JOIN" : "INNER JOIN", item(), {}, on());
}

Correlation Lateral::correlation() const {
  std::vector<const Operator*> feeds;
  for (std::size_t i = 1; i < inputs_.size(); ++i) feeds.push_back(inputs_[i].get());
  return {inputs_[0]->post(), inputs_[0]->columns(), std::move(feeds), matches_};
}

std::vector<Select> Lateral::affected_otherwise(Statement& statement) const {
  return correlation().affected(statement, inputs_[0]->column_names("s."));
}

std::vector<int> Lateral::prune(const std::set<int>& needed) {
  // The tuple is the identity: it stays. Columns that nobody reads go; how many rows there are they do not say.
  for (auto& input : inputs_) {
    // Every column of the inputs is in use; what is below them may have more.
    std::set<int> all;
    for (std::size_t i = 0; i < input->columns().size(); ++i) all.insert(static_cast<int>(i));
    input->prune(all);
  }
  std::vector<int> mapping(columns_.size(), -1);
  for (std::size_t i = 0; i < width(); ++i) mapping[i] = static_cast<int>(i);
  std::vector<int> used;
  std::vector<OutputColumn> added;
  for (std::size_t i = 0; i < used_.size(); ++i) {
    if (needed.count(static_cast<int>(width() + i)) == 0) continue;
    mapping[width() + i] = static_cast<int>(width() + used.size());
    used.push_back(used_[i]);
    added.push_back(std::move(columns_[width() + i]));
  }
  used_ = std::move(used);
  derive_columns(std::move(added));
  return mapping;
}

void Lateral::resolve_types(TypeOracle& oracle) {
  Operator::resolve_types(oracle);
  derive_columns(std::vector<OutputColumn>(used_.size()));
  if (used_.empty()) return;
  auto names = column_names("p.");
  names.erase(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(width()));
  const auto types = oracle.column_types(Select(names).from(post(), "p").sql());
  for (std::size_t i = 0; i < used_.size(); ++i) columns_[width() + i].type = types.at(i);
  break_ties(types);
}

/// Appends all output columns to the order, by value and, where that leaves rows equal that are not the same, by image.
void Lateral::break_ties(const std::vector<TypeInfo>& types) {
  auto& select = subquery_.select;
  if (!chooses_rows(select)) return;
  if (select.limit_option() == pg_query::LIMIT_OPTION_WITH_TIES) {
    if (has_offset(select) || has_distinct_on(select))
      throw Unsupported("WITH TIES beside OFFSET or DISTINCT ON in a LATERAL subquery is not maintained incrementally",
                        fragment(select));
    return;  // it has all rows that tie
  }
  const bool expressions = select.op() == pg_query::SETOP_NONE && select.values_lists().empty() &&
                           (select.distinct_clause().empty() || has_distinct_on(select));
  breaks_ties_ = true;
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (types[i].equatable) order_also_by(select, position(i));
    if (types[i].equatable && types[i].identity) continue;
    if (!expressions)
      throw Unsupported("LIMIT in a LATERAL subquery cannot tell its rows apart: the type of column " +
                            subquery_.names[i] + " has values that are equal but not the same, or no order",
                        fragment(select));
    const Node& target = select.target_list(static_cast<int>(i)).res_target().val();
    order_also_by(select, map_columns(parse_expr(types[i].image.empty() ? "$1::text" : types[i].image),
                                      [&](int) { return target; }));
  }
}

std::vector<Key> Lateral::keys() const {
  if (!subquery_.one_row) return {};
  Key key;
  for (std::size_t i = 0; i < width(); ++i) key.push_back(static_cast<int>(i));
  return {key};
}

std::string Lateral::describe() const {
  return std::string("Lateral ") + (subquery_.outer ? "(left join) " : "") +
         one_line("(" + deparse_select(over_tuple()) + ")", 160) + " per " + join(inputs_[0]->column_names(), ", ");
}

std::string Lateral::cost_class() const {
  return correlation().finds_all() ? "O(delta x affected keys)" : "O(affected keys), every key is tested: O(keys)";
}

void Lateral::index_advice(std::vector<std::string>& advice) const {
  KeyedRecompute::index_advice(advice);
  correlation().index_advice(advice);
}

}  // namespace pgtrickle::compiler
