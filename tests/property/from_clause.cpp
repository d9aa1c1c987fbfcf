// FROM: join trees of any shape over tables, views, CTEs, subqueries and row sources; inner and outer joins by ON,
// USING, NATURAL or comma.
#include <algorithm>

#include "property/generator.h"

namespace pgt::property {
namespace {

constexpr double kMaxRows = 2500;  // estimate, of a FROM clause

int visible(const std::vector<ScopeColumn>& columns, const std::string& name) {
  return static_cast<int>(std::count_if(columns.begin(), columns.end(),
                                        [&](const ScopeColumn& c) { return !c.hidden && c.column.name == name; }));
}

const ScopeColumn& visible_column(const std::vector<ScopeColumn>& columns, const std::string& name) {
  return *std::find_if(columns.begin(), columns.end(),
                       [&](const ScopeColumn& c) { return !c.hidden && c.column.name == name; });
}

void append(From& left, const From& right) {
  for (auto column : right.columns) {
    column.input += left.inputs.size();
    left.columns.push_back(std::move(column));
  }
  left.inputs.insert(left.inputs.end(), right.inputs.begin(), right.inputs.end());
  left.conditions.insert(left.conditions.end(), right.conditions.begin(), right.conditions.end());
  left.join = true;
}

}  // namespace

bool usable(const ScopeColumn& column, const std::vector<ScopeColumn>& columns) {
  return !column.alias.empty() || (!column.hidden && visible(columns, column.column.name) == 1);
}

/// Column references; sometimes without the alias where that is unambiguous.
Atoms QueryGenerator::atoms_of(const std::vector<ScopeColumn>& columns, bool bare_allowed) {
  Atoms atoms;
  const bool bare = bare_allowed && random_.chance(25);
  for (const auto& column : columns) {
    const bool unique = !column.hidden && visible(columns, column.column.name) == 1;
    if (!usable(column, columns)) continue;
    const std::string qualified = qualified_name(column);
    atoms.push_back({bare && unique ? quoted(column.column.name) : qualified, column.column.value, false,
                     column.alias.empty() ? "" : qualified});
  }
  return atoms;
}

std::string QueryGenerator::alias() {
  static const std::vector<std::string> kAliases = {"a", "b", "c", "d", "e"};
  static const std::vector<std::string> kOdd = {"w", "l", "A b", "m", "s", "i", "a1", "a2", "delta", "o"};
  static const std::vector<std::string> kOddInside = {"run", "x", "g", "key", "n", "old", "new"};
  const std::size_t i = aliases_.size();
  std::string alias = i < kAliases.size() ? kAliases[i] : "r" + std::to_string(i);
  if (sublink_level_ > 0) alias = std::string(1, static_cast<char>('s' + sublink_level_ - 1)) + std::to_string(i + 1);
  if (random_.chance(8) && sublink_level_ < 2) alias = random_.pick(sublink_level_ == 0 ? kOdd : kOddInside);
  if (std::find(aliases_.begin(), aliases_.end(), alias) != aliases_.end())
    alias = "r" + std::to_string(sublink_level_) + std::to_string(i);
  aliases_.push_back(alias);
  return alias;
}

Relation QueryGenerator::plain_relation(const Sources& sources) {
  Relation relation = random_.pick(sources);
  // Views and stream tables over many tables only as long as the query has not grown enough.
  for (int attempt = 0; attempt < 4 && relation.weight > std::max(inputs_left_, 1); ++attempt)
    relation = random_.pick(sources);
  inputs_left_ -= relation.weight;
  context_.used |= relation.features;
  for (const auto& column : relation.columns) {
    if (column.domain) use(Feature::kDomain);
    if (column.value.kind() == Kind::kArray) use(Feature::kArrays);
    if (column.value.kind() == Kind::kEnum) use(Feature::kEnum);
    if (column.value.kind() == Kind::kRange) use(Feature::kRange);
    if (column.value.kind() == Kind::kPair) use(Feature::kComposite);
  }
  return relation;
}

Relation QueryGenerator::relation(int depth, const Sources& sources) {
  if (random_.chance(3) && use(Feature::kValues)) return values_relation();
  if (depth > 0 && inputs_left_ > 0 && random_.chance(24)) {
    use(Feature::kSubqueryInFrom);
    const Query sub = query(depth - 1, sources);
    return {"(" + sub.sql + ")", sub.columns, {}, sub.rows};
  }
  return plain_relation(sources);
}

From QueryGenerator::with_alias(Relation relation) {
  const std::string name = alias();
  From from;
  from.sql = relation.sql + (random_.chance(85) ? " AS " : " ") + quoted(name);
  from.rows = std::max(relation.rows, 1.0);
  from.inputs.push_back(relation);
  if (random_.chance(5)) {
    rename(relation.columns, "y");
    from.sql += column_list(relation.columns);
  }
  for (const auto& column : relation.columns) from.columns.push_back({name, column, false, 0});
  return from;
}

From QueryGenerator::item(int depth, const Sources& sources) {
  if (random_.chance(2) && (context_.on(Feature::kGenerateSeries) || context_.on(Feature::kUnnest))) {
    From function = function_item({});
    if (!function.sql.empty()) return function;
  }
  return with_alias(relation(depth, sources));
}

From QueryGenerator::from(int depth, const Sources& sources, int most) {
  std::vector<std::string> outside;
  std::swap(outside, aliases_);
  static const std::vector<int> kTopWeights = {36, 36, 16, 8, 4};
  static const std::vector<int> kWeights = {66, 28, 6};
  int count = 1 + static_cast<int>(random_.weighted(depth == kTop ? kTopWeights : kWeights));
  count = std::max(1, std::min({count, most, inputs_left_}));
  From result;
  if (random_.chance(25)) {  // by comma, of items or of trees
    result = tree(1 + (count > 2 && random_.chance(40) ? 1 : 0), depth, sources);
    for (int at = static_cast<int>(result.inputs.size()); at < count && result.rows < kMaxRows / 4;) {
      const int inputs = count - at > 1 && random_.chance(40) ? 2 : 1;
      result = comma(std::move(result), tree(inputs, depth, sources));
      at += inputs;
    }
  } else {
    result = tree(count, depth, sources);
  }
  if (result.rows < 400 && random_.chance(9)) result = function_join(std::move(result), depth, sources);
  std::swap(outside, aliases_);
  return result;
}

From QueryGenerator::tree(int inputs, int depth, const Sources& sources) {
  if (inputs <= 1) return item(depth, sources);
  const bool bushy = inputs > 2 && random_.chance(30);
  const int right = bushy ? 1 + static_cast<int>(random_.below(static_cast<std::size_t>(inputs - 1))) : 1;
  From left = tree(inputs - right, depth, sources);
  if (left.rows > kMaxRows / 4) return left;
  const bool again = random_.chance(18) && right == 1;  // the same table once more
  const auto& same = left.inputs.front();
  if (again && !same.sql.empty() && same.sql.front() != '(') {
    inputs_left_ -= same.weight;
    From copy = with_alias(Relation(same));
    return join(std::move(left), std::move(copy), sources);
  }
  From other = tree(right, depth, sources);
  const bool function = other.is_function();
  From joined = join(std::move(left), std::move(other), sources);
  if (inputs == 2 && random_.chance(8)) return renamed_join(std::move(joined), function);
  return joined;
}

/// (a JOIN b) AS j (z1, z2, ..): what is inside has no names any more.
From QueryGenerator::renamed_join(From joined, bool of_function) {
  const bool plain = std::none_of(joined.columns.begin(), joined.columns.end(),
                                  [](const ScopeColumn& c) { return c.hidden || c.alias.empty(); });
  if (!plain || !joined.conditions.empty()) return joined;
  if ((of_function && !use(Feature::kFunctionUnderJoinAlias)) || !use(Feature::kJoinAlias)) return joined;
  From result;
  const std::string name = alias();
  Relation relation;
  for (const auto& column : joined.columns) {
    relation.columns.push_back(column.column);
    relation.columns.back().domain = false;
  }
  rename(relation.columns, "z");
  result.sql = "(" + joined.sql + ") AS " + quoted(name) + column_list(relation.columns);
  for (const auto& column : relation.columns) result.columns.push_back({name, column, false, 0});
  result.inputs.push_back(relation);
  result.rows = joined.rows;
  return result;
}

/// `lasting`: they must still mean the same when more is added to the FROM clause.
std::vector<std::string> QueryGenerator::equalities(const From& left, const From& right, bool lasting) {
  auto usable = [&](const ScopeColumn& column, const From& other) {
    return !column.alias.empty() || (!lasting && !column.hidden && visible(other.columns, column.column.name) == 0);
  };
  std::vector<std::string> found;
  for (const auto& l : left.columns) {
    if (!usable(l, right)) continue;
    for (const auto& r : right.columns) {
      if (!usable(r, left)) continue;
      if (!comparable(l.column.value, r.column.value) || l.column.value.kind() == Kind::kBool) continue;
      const std::string x = qualified_name(l);
      const std::string y = qualified_name(r);
      for (int i = l.column.name == r.column.name ? 3 : 1; i > 0; --i) {
        if (l.column.value.kind() == Kind::kInt && l.column.value.bound < 1e6 && random_.chance(10))
          found.push_back(x + " + 1 = " + y);
        else
          found.push_back(random_.chance(50) ? x + " = " + y : y + " = " + x);
      }
    }
  }
  return found;
}

From QueryGenerator::comma(From left, From right) {
  use(Feature::kInnerJoin);
  const auto equal = equalities(left, right, true);
  const double product = left.rows * right.rows;
  left.rows = product;
  if (!equal.empty() && (product > 500 || random_.chance(90))) {
    left.conditions.push_back(random_.pick(equal));
    left.rows *= 0.12;
  }
  left.sql += ", " + right.sql;
  left.listed = true;
  append(left, right);
  if (left.rows > kMaxRows) {
    left.conditions.push_back(equal.empty() ? "false" : random_.pick(equal));
    left.rows *= 0.3;
  }
  return left;
}

/// By USING or NATURAL, if the sides have names in common that fit.
bool QueryGenerator::merge(From& left, From& right, JoinType type) {
  std::vector<std::string> common;
  bool natural = true;
  for (const auto& column : right.columns) {
    const std::string& name = column.column.name;
    if (column.hidden || visible(left.columns, name) == 0) continue;
    const bool fits = visible(left.columns, name) == 1 && visible(right.columns, name) == 1 &&
                      comparable(column.column.value, visible_column(left.columns, name).column.value);
    if (fits) common.push_back(name);
    natural = natural && fits;
  }
  if (common.empty() || !use(type == JoinType::kInner ? Feature::kMergedColumns : Feature::kOuterMergedColumns))
    return false;
  static const std::vector<std::string> kJoins = {"JOIN ", "LEFT JOIN ", "RIGHT OUTER JOIN ", "FULL JOIN "};
  const std::string& join = kJoins[static_cast<std::size_t>(type)];
  const std::string other = right.join ? "(" + right.sql + ")" : right.sql;
  if (natural && random_.chance(35)) {
    left.sql += " NATURAL " + join + other;
  } else {
    random_.shuffle(common);
    common.resize(std::min(common.size(), static_cast<std::size_t>(random_.chance(75) ? 1 : 2)));
    left.sql += " " + join + other + " USING (";
    for (std::size_t i = 0; i < common.size(); ++i) left.sql += (i == 0 ? "" : ", ") + quoted(common[i]);
    left.sql += ")";
  }
  double rows = left.rows * right.rows;
  std::vector<ScopeColumn> merged;
  for (const auto& name : common) {
    const Value& l = visible_column(left.columns, name).column.value;
    const Value& r = visible_column(right.columns, name).column.value;
    rows *= l.kind() == Kind::kBool ? 0.4 : 0.12;
    merged.push_back({"", {name, unified(l, r)}, false, 0});
  }
  for (auto* side : {&left.columns, &right.columns}) {
    for (auto& column : *side) {
      if (std::find(common.begin(), common.end(), column.column.name) != common.end()) column.hidden = true;
    }
  }
  const double least = type == JoinType::kLeft    ? left.rows
                       : type == JoinType::kRight ? right.rows
                       : type == JoinType::kFull  ? left.rows + right.rows
                                                  : 1;
  append(left, right);
  left.columns.insert(left.columns.end(), merged.begin(), merged.end());
  left.rows = std::max(rows, least);
  return true;
}

From QueryGenerator::join(From left, From right, const Sources& sources) {
  std::vector<int> weights = {46, context_.on(Feature::kLeftJoin) ? 26 : 0, context_.on(Feature::kRightJoin) ? 8 : 0,
                              context_.on(Feature::kFullJoin) ? 12 : 0};
  // A function is computed beside the rows on its left.
  const bool function = right.is_function();
  if (function && !context_.on(Feature::kFunctionOuterJoin)) weights[1] = weights[2] = weights[3] = 0;
  const auto type = static_cast<JoinType>(random_.weighted(weights));
  if (function && type != JoinType::kInner) use(Feature::kFunctionOuterJoin);
  return join_by(type, std::move(left), std::move(right), sources);
}

From QueryGenerator::join_by(JoinType type, From left, From right, const Sources& sources) {
  static const std::vector<Feature> kFeatures = {Feature::kInnerJoin, Feature::kLeftJoin, Feature::kRightJoin,
                                                 Feature::kFullJoin};
  use(kFeatures[static_cast<std::size_t>(type)]);
  const bool outer = type != JoinType::kInner;
  if (right.join && (outer || left.join)) use(Feature::kNestedJoin);
  if (random_.chance(28) && !right.is_function() && merge(left, right, type)) return left;

  const double product = left.rows * right.rows;
  const auto equal = equalities(left, right, false);
  std::vector<std::string> conditions;
  const bool cross = product <= 500 && random_.chance(outer ? 4 : 8);
  double selected = product;
  if (!cross && !equal.empty()) {
    conditions.push_back(random_.pick(equal));
    selected *= 0.12;
    if (selected > kMaxRows / 2 || random_.chance(12)) {
      conditions.push_back(random_.pick(equal));
      selected *= 0.3;
    }
  }
  // Nothing but a hash or merge join can make a FULL JOIN: without an equality there is only the constant condition.
  const bool any = type == JoinType::kFull ? !conditions.empty() : true;
  const bool more =
      any && (conditions.empty() || (outer ? chance(Feature::kOuterAnyCondition, 28) : random_.chance(15)));
  if (more && !(cross && random_.chance(70))) {
    auto all = left.columns;
    all.insert(all.end(), right.columns.begin(), right.columns.end());
    const auto atoms = atoms_of(all, false);
    Sublinks in_on(*this, sources, 0, outer ? Feature::kSublinkInOuterOn : Feature::kSublinkInOn, product);
    Sublinks in_one(*this, sources, 0, right.is_function() ? Feature::kSublinkInOuterOn : Feature::kSublinkInOn,
                    product);
    ExpressionGenerator generator(context_, atoms, type == JoinType::kFull ? nullptr : &in_on);
    if (outer && conditions.empty()) use(Feature::kOuterAnyCondition);
    const int only = random_.between(1, 100);
    if (!conditions.empty() && random_.chance(15)) {
      // In place of an equality between the sides: one that is true for NULLs too.
      conditions.back() += random_.chance(50) ? " IS NOT FALSE" : " IS TRUE";
      conditions.push_back(generator.predicate(1));
      if (type == JoinType::kFull) conditions[conditions.size() - 2] = equal.front();
    } else if (only <= 30) {  // over one side alone
      const auto one = atoms_of(only <= 15 ? left.columns : right.columns, false);
      if (one.empty() || conditions.empty()) {
        conditions.push_back(generator.predicate(1));
      } else {
        conditions.push_back(
            ExpressionGenerator(context_, one, type == JoinType::kFull ? nullptr : &in_one).predicate(1));
      }
    } else {
      conditions.push_back(generator.predicate(1));
    }
    selected *= 0.6;
  }
  const std::string other =
      right.join && (outer || left.join || random_.chance(80)) ? "(" + right.sql + ")" : right.sql;
  if (conditions.empty() && type == JoinType::kInner) {
    left.sql += " CROSS JOIN " + (right.join ? "(" + right.sql + ")" : right.sql);
  } else {
    static const std::vector<std::string> kJoins = {" JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN "};
    static const std::vector<std::string> kLong = {" INNER JOIN ", " LEFT OUTER JOIN ", " RIGHT OUTER JOIN ",
                                                   " FULL OUTER JOIN "};
    left.sql += (random_.chance(70) ? kJoins : kLong)[static_cast<std::size_t>(type)] + other + " ON " +
                (conditions.empty() ? std::string("true") : conjunction(conditions));
  }
  double least = 1;
  if (type == JoinType::kLeft || type == JoinType::kFull) least += left.rows;
  if (type == JoinType::kRight || type == JoinType::kFull) least += right.rows;
  append(left, right);
  left.rows = std::max(selected, least);
  return left;
}

}  // namespace pgt::property
