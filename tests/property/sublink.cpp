// Subqueries in expressions: EXISTS, IN, ANY, ALL, rows, arrays, scalars; correlated or not; grouped; nested.
#include <algorithm>

#include "property/generator.h"

namespace pgt::property {

bool Sublinks::possible() const {
  return generator_.context_.on(place_) && generator_.inputs_left_ > 0 && generator_.sublink_level_ < 3 && rows_ < 800;
}

std::optional<std::string> Sublinks::sublink_predicate(const Atoms& atoms) {
  if (!possible()) return std::nullopt;
  std::string sql = generator_.sublink_predicate(atoms, sources_, depth_);
  if (sql.empty()) return std::nullopt;
  generator_.use(place_);
  return sql;
}

std::optional<Expression> Sublinks::scalar_sublink(const Atoms& atoms, Kind kind) {
  if (!possible() || kind == Kind::kOther) return std::nullopt;
  auto scalar = generator_.scalar_sublink(atoms, kind, sources_, depth_);
  if (scalar) generator_.use(place_);
  return scalar;
}

/// FROM and WHERE of a subquery, correlated with some of the outer atoms.
QueryGenerator::InnerScope QueryGenerator::inner_scope(const Atoms& outer, const Sources& sources, int depth) {
  ++sublink_level_;
  Sources small;
  std::copy_if(sources.begin(), sources.end(), std::back_inserter(small),
               [](const Relation& source) { return source.rows <= 150; });
  if (small.empty()) small = sources;
  InnerScope scope;
  scope.from = from(std::min(depth, 1), small, random_.chance(80) ? 1 : 2);
  scope.atoms = atoms_of(scope.from.columns, true);
  Atoms correlated;
  for (const auto& atom : outer) {
    if (!atom.outer.empty()) correlated.push_back({atom.outer, atom.value, false, atom.outer});
  }
  std::vector<std::string> where = scope.from.conditions;
  std::vector<std::string> links;
  for (const auto& o : correlated) {
    for (const auto& c : scope.from.columns) {
      if (c.alias.empty() || !comparable(c.column.value, o.value)) continue;
      const std::string inner = qualified_name(c);
      const std::string bare = o.outer.substr(std::min(o.outer.size(), o.outer.find('.') + 1));
      const bool same = bare == quoted(c.column.name);
      for (int i = same ? 4 : 1; i > 0; --i) {
        static const std::vector<std::string> kOperators = {" = ", " = ",  " = ",  " = ",
                                                            " < ", " >= ", " <> ", " IS NOT DISTINCT FROM "};
        const std::string op = random_.pick(kOperators);
        links.push_back(random_.chance(50) ? inner + op + o.outer : o.outer + op + inner);
      }
    }
  }
  bool linked = false;
  if (!links.empty() && random_.chance(80)) {
    where.push_back(random_.pick(links));
    if (random_.chance(15)) where.push_back(random_.pick(links));
    linked = true;
  }
  Atoms all = scope.atoms;
  all.insert(all.end(), correlated.begin(), correlated.end());
  Sublinks nested(*this, small, depth - 1, Feature::kSublinkNested, 100);
  if (random_.chance(35)) {
    const bool mixed = !correlated.empty() && random_.chance(35);
    linked = linked || mixed;
    where.push_back(ExpressionGenerator(context_, mixed ? all : scope.atoms, &nested).predicate(1));
  }
  if (depth > 0 && random_.chance(14)) {
    if (const auto inside = nested.sublink_predicate(all)) where.push_back(*inside);
  }
  if (!linked) use(Feature::kUncorrelated);
  if (!where.empty()) scope.where = " WHERE " + conjunction(where);
  --sublink_level_;
  return scope;
}

std::string QueryGenerator::sublink_predicate(const Atoms& atoms, const Sources& sources, int depth) {
  static const std::vector<std::pair<Feature, int>> kForms = {
      {Feature::kExists, 24},      {Feature::kNotExists, 18},
      {Feature::kIn, 18},          {Feature::kNotIn, 14},
      {Feature::kAny, 8},          {Feature::kAll, 8},
      {Feature::kRowIn, 8},        {Feature::kRowCompareSublink, 3},
      {Feature::kArraySublink, 3}, {Feature::kScalarAggregate, 12},
      {Feature::kScalarLimit, 6}};
  std::vector<int> weights;
  int total = 0;
  for (const auto& [feature, weight] : kForms) {
    weights.push_back(context_.on(feature) ? weight : 0);
    total += weights.back();
  }
  if (total == 0) return {};
  const Feature form = kForms[random_.weighted(weights)].first;
  switch (form) {
    case Feature::kExists:
    case Feature::kNotExists: {
      use(form);
      return (form == Feature::kExists ? "EXISTS (" : "NOT EXISTS (") + existence(atoms, sources, depth) + ")";
    }
    case Feature::kScalarAggregate:
    case Feature::kScalarLimit: {
      Expression x = random_.pick(atoms);
      if (x.value.kind() == Kind::kOther || x.value.kind() == Kind::kJson) return {};
      const auto scalar = scalar_sublink(atoms, x.value.kind(), sources, depth);
      if (!scalar) return {};
      static const std::vector<std::string> kOperators = {" = ", " < ", " > ", " <> ", " IS NOT DISTINCT FROM "};
      if (random_.chance(10)) return scalar->sql + (random_.chance(50) ? " IS NULL" : " IS NOT NULL");
      return random_.chance(70) ? x.sql + random_.pick(kOperators) + scalar->sql
                                : scalar->sql + random_.pick(kOperators) + x.sql;
    }
    case Feature::kRowIn:
    case Feature::kRowCompareSublink:
      return row_membership(atoms, sources, depth);
    default:
      return membership(atoms, sources, depth);
  }
}

/// What stands in EXISTS ( ).
std::string QueryGenerator::existence(const Atoms& atoms, const Sources& sources, int depth) {
  if (depth > 0 && random_.chance(8) && use(Feature::kSublinkOverQuery)) {
    use(Feature::kUncorrelated);
    ++sublink_level_;
    const Query any = query(0, sources);
    --sublink_level_;
    return any.sql;
  }
  const InnerScope scope = inner_scope(atoms, sources, depth);
  const std::string from = " FROM " + scope.from.sql + scope.where;
  if (random_.chance(18) && use(Feature::kSublinkGroups)) {
    const Expression key = random_.pick(scope.atoms);
    const Atoms group = {key, aggregate(scope.atoms), {"count(*)", {Type::kInt8, 1e6}}};
    const bool keyed = random_.chance(70);
    const std::string having = keyed ? ExpressionGenerator(context_, group).predicate(1) : "count(*) > 1";
    return "SELECT 1" + from + (keyed ? " GROUP BY " + key.sql : "") + " HAVING " + having;
  }
  const int list = random_.between(1, 10);
  const bool limited = random_.chance(6);
  return "SELECT " +
         (list <= 6   ? std::string("1")
          : list <= 8 ? std::string("*")
                      : random_.pick(scope.atoms).sql) +
         from +
         (limited && context_.on(Feature::kInnerLimit) && use(Feature::kInnerLimit) ? " ORDER BY 1 LIMIT 1" : "");
}

/// x [NOT] IN, op ANY, op ALL, = ANY (ARRAY ..).
std::string QueryGenerator::membership(const Atoms& atoms, const Sources& sources, int depth) {
  Atoms possible;
  std::copy_if(atoms.begin(), atoms.end(), std::back_inserter(possible), [](const Expression& atom) {
    return atom.value.kind() != Kind::kOther && atom.value.kind() != Kind::kJson &&
           (atom.value.kind() != Kind::kPair || !atom.outer.empty());
  });
  if (possible.empty()) return {};
  Expression x = random_.pick(possible);
  // A ROW() here would be taken for several values instead of one of a composite type.
  if (random_.chance(15) && x.value.kind() != Kind::kPair)
    x = ExpressionGenerator(context_, possible).of(x.value.kind(), 1);
  const Kind kind = x.value.kind();

  std::string inner;
  if (depth > 0 && random_.chance(15) && use(Feature::kSublinkOverQuery)) {
    use(Feature::kUncorrelated);
    const std::vector<Kind> kinds = {kind};
    ++sublink_level_;
    inner = query(0, sources, &kinds).sql;
    --sublink_level_;
  } else {
    const InnerScope scope = inner_scope(atoms, sources, depth);
    const std::string from = " FROM " + scope.from.sql + scope.where;
    ExpressionGenerator generator(context_, scope.atoms);
    if (random_.chance(15) && use(Feature::kSublinkGroups)) {
      if (kind == Kind::kInt && random_.chance(40)) {
        inner = "SELECT count(*)" + from + " GROUP BY " + random_.pick(scope.atoms).sql;
      } else {
        const Expression y = generator.leaf(kind);
        inner = "SELECT " + y.sql + from + (y.constant ? "" : " GROUP BY " + y.sql + " HAVING count(*) > 1");
      }
    } else {
      inner = "SELECT " + generator.of(kind, random_.chance(80) ? 0 : 1).sql + from;
    }
  }
  std::vector<int> weights = {context_.on(Feature::kIn) ? 36 : 0, context_.on(Feature::kNotIn) ? 26 : 0,
                              context_.on(Feature::kAny) ? 18 : 0, context_.on(Feature::kAll) ? 18 : 0,
                              context_.on(Feature::kArraySublink) && kind != Kind::kArray ? 5 : 0};
  if (weights[0] + weights[1] + weights[2] + weights[3] + weights[4] == 0) return {};
  static const std::vector<std::string> kOperators = {" = ", " <> ", " < ", " <= ", " > ", " >= "};
  switch (random_.weighted(weights)) {
    case 0:
      use(Feature::kIn);
      return x.sql + " IN (" + inner + ")";
    case 1:
      use(Feature::kNotIn);
      return x.sql + " NOT IN (" + inner + ")";
    case 2:
      use(Feature::kAny);
      return x.sql + random_.pick(kOperators) + (random_.chance(80) ? "ANY (" : "SOME (") + inner + ")";
    case 3:
      use(Feature::kAll);
      return x.sql + random_.pick(kOperators) + "ALL (" + inner + ")";
    default:
      use(Feature::kArraySublink);
      return x.sql + " = ANY (ARRAY(SELECT q.v FROM (" + inner + ") AS q (v) ORDER BY q.v))";
  }
}

/// (x, y) [NOT] IN, = ANY, <> ALL; (x, y) = (SELECT ..).
std::string QueryGenerator::row_membership(const Atoms& atoms, const Sources& sources, int depth) {
  Atoms possible;
  std::copy_if(atoms.begin(), atoms.end(), std::back_inserter(possible), [](const Expression& atom) {
    return atom.value.kind() != Kind::kOther && atom.value.kind() != Kind::kJson;
  });
  if (possible.empty()) return {};
  const Expression x = random_.pick(possible);
  const Expression y = random_.pick(possible);
  const std::string row = (random_.chance(80) ? "(" : "ROW(") + x.sql + ", " + y.sql + ")";
  const InnerScope scope = inner_scope(atoms, sources, depth);
  const std::string from = " FROM " + scope.from.sql + scope.where;
  ExpressionGenerator generator(context_, scope.atoms);
  const std::string u = generator.leaf(x.value.kind()).sql;
  const std::string v = generator.leaf(y.value.kind()).sql;
  if (random_.chance(25) && use(Feature::kRowCompareSublink)) {
    static const std::vector<std::string> kOperators = {" = ", " <> ", " < ", " >= "};
    return row + random_.pick(kOperators) + "(SELECT " + u + ", " + v + from + " ORDER BY 1, 2 LIMIT 1)";
  }
  if (!use(Feature::kRowIn)) return {};
  static const std::vector<std::string> kOperators = {" IN ", " IN ", " NOT IN ", " = ANY ", " <> ALL ", " < ANY "};
  return row + random_.pick(kOperators) + "(SELECT " + u + ", " + v + from + ")";
}

std::optional<Expression> QueryGenerator::inner_aggregate(const InnerScope& scope, Kind kind) {
  for (int attempt = 0; attempt < 8; ++attempt) {
    const FeatureSet before = context_.used;
    Expression call = aggregate(scope.atoms);
    if (call.value.kind() == kind) return call;
    context_.used = before;
  }
  if (kind == Kind::kInt) return Expression{"count(*)", {Type::kInt8, 1e6}};
  return std::nullopt;
}

std::optional<Expression> QueryGenerator::scalar_sublink(const Atoms& atoms, Kind kind, const Sources& sources,
                                                         int depth) {
  const bool aggregated = context_.on(Feature::kScalarAggregate);
  if (!aggregated && !context_.on(Feature::kScalarLimit)) return std::nullopt;
  if (random_.chance(4) && context_.on(Feature::kNoFrom)) {
    Expression e = ExpressionGenerator(context_, atoms).leaf(kind);
    if (e.outer.empty() && !e.constant) return std::nullopt;  // an aggregate would belong to the query around it
    use(Feature::kNoFrom);
    e.sql = "(SELECT " + (e.outer.empty() ? e.sql : e.outer) + ")";
    e.constant = false;
    e.outer.clear();
    return e;
  }
  const InnerScope scope = inner_scope(atoms, sources, depth);
  const std::string from = " FROM " + scope.from.sql + scope.where;
  ExpressionGenerator generator(context_, scope.atoms);
  if (aggregated && (random_.chance(70) || !context_.on(Feature::kScalarLimit))) {
    const auto call = inner_aggregate(scope, kind);
    if (call && use(Feature::kScalarAggregate)) {
      Expression result = *call;
      result.constant = false;
      result.outer.clear();
      if (random_.chance(10)) {
        const Expression group = random_.pick(scope.atoms);
        if (use(Feature::kSublinkGroups) && use(Feature::kScalarLimit)) {
          if (!result.value.canonical) result.value.settled = false;
          result.sql =
              "(SELECT " + result.sql + from + " GROUP BY " + group.sql + " ORDER BY 1" + direction() + " LIMIT 1)";
          return result;
        }
      }
      result.sql = "(SELECT " + result.sql + from + (random_.chance(12) ? " HAVING count(*) > 1" : "") + ")";
      return result;
    }
  }
  if (!use(Feature::kScalarLimit)) return std::nullopt;
  Expression item = generator.leaf(kind);
  if (item.constant) return std::nullopt;
  const std::string by = random_.chance(40) ? random_.pick(scope.atoms).sql + direction() + ", 1" : "1";
  item.sql = "(SELECT " + item.sql + from + " ORDER BY " + by + direction() +
             (chance(Feature::kOffset, 10) ? " OFFSET 1" : "") + " LIMIT 1)";
  item.outer.clear();
  if (!item.value.canonical) item.value.settled = false;
  return item;
}

}  // namespace pgt::property
