// Window functions. What depends on the order within peers gets a total order: rows that are still equal are equal in
// all columns, and look alike, so it does not matter which of them is which. Frames by RANGE or GROUPS take all peers
// together.
#include "property/generator.h"

namespace pgt::property {

Expression QueryGenerator::window(const Atoms& atoms, bool numbering) {
  Atoms sortable;
  for (const auto& atom : atoms) {
    if (atom.value.kind() != Kind::kOther) sortable.push_back(atom);
  }
  if (sortable.empty()) return {"count(*) OVER ()", {Type::kInt8, 1e6}};
  ExpressionGenerator generator(context_, sortable);
  std::string partition;
  if (random_.chance(75)) partition = "PARTITION BY " + random_.pick(sortable).sql + " ";
  const Expression& by = random_.pick(sortable);
  const std::string partial = "ORDER BY " + by.sql + direction();
  std::string total = partial;
  for (const auto& atom : atoms) {
    total += ", " + atom.sql;
    if (!atom.value.canonical && atom.value.settled) total += ", (" + atom.sql + ")::text";
  }
  const Value count{Type::kInt8, 1e6};
  const Expression x = random_.pick(sortable);
  Value same = x.value;
  if (!same.canonical) same.settled = false;
  const bool all = numbering && atoms.size() == sortable.size();
  switch (random_.below(all ? 8 : 4)) {
    case 0:
      return {random_.pick(std::vector<std::string>{"rank()", "dense_rank()"}) + " OVER (" + partition + partial + ")",
              count};
    case 1:
      return {"count(*) OVER (" + partition + (random_.chance(50) ? "" : partial) + ")", count};
    case 2: {
      const Expression n = generator.leaf(Kind::kInt);
      return {"sum((" + n.sql + ")::numeric) OVER (" + partition + (random_.chance(50) ? "" : partial) + ")",
              {Type::kNumeric, n.value.bound * 1e4}};
    }
    case 3: {
      const Expression n = generator.leaf(Kind::kInt);
      return {"max(" + n.sql + ") OVER (" + partition + partial + " GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW)",
              n.value};
    }
    case 4:
    case 5:
      return {"row_number() OVER (" + partition + total + ")", count};
    case 6:
      return {random_.pick(std::vector<std::string>{"lag(", "lead("}) + x.sql + ") OVER (" + partition + total + ")",
              same};
    default:
      return {random_.pick(std::vector<std::string>{"first_value(", "last_value("}) + x.sql + ") OVER (" + partition +
                  total + " ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING)",
              same};
  }
}

}  // namespace pgt::property
