// Flips: rows of one input (A, kept) of an outer or semi join that were there before and that gained their first match
// in the other input (B), or lost their last one. With P = post, D = delta, N = P - D:
//   N_A x f,  f(a) = [m1(a) = 0] - [m0(a) = 0]
// where m1 counts a's matches in P_B, and m0 = m1 - dm those before: dm(a) = sum of w of a's matches in D_B. Written as
// P_A x f - D_A x f: both terms look rows up through the indexes of the base tables.
// The naive version compares "has a match in D_B" with "has one in P_B": it flips rows that had another match all
// along, and misses the row whose match was deleted and inserted again in one batch, which must not flip at all.
//
// Two ways to know f:
//   by key  conditions are equalities between the sides and conditions on one side alone: f depends only on the key, so
//           m1 and dm are computed per distinct key of D_B. A key that contains NULL matches nothing and is left out.
//   by row  other conditions read both sides (<>, ranges, OR): m1 and dm are computed per distinct tuple of the columns
//           of A that the conditions read, for tuples with a match in D_B. A row that matches is found by joining D_B
//           with A once; since every copy of a tuple meets the same rows of D_B, the number of copies divides out.
// Matches in P_B are counted only as far as needed to know whether m1 is 0 or dm.
#pragma once

#include "compiler/operators/match_conditions.h"

namespace pgtrickle::compiler {

/// Both inputs of a join, seen from the side whose rows are kept.
struct MatchSides {
  const Operator& left;
  const Operator& right;
  const MatchConditions& conditions;
  Side kept;
  std::string kept_delta;  // FROM items, common table expressions
  std::string other_delta;
};

/// The terms N_A x f: queries of the list `select`, over A's row in scope as `a`, and w. negate: N_A x -f.
std::vector<Query> flip_terms(Statement& statement, const MatchSides& sides, const std::vector<std::string>& select,
                              bool negate);

/// How the cost of flips of either side grows.
std::string flip_cost(const MatchConditions& conditions, const Operator& left, const Operator& right);

}  // namespace pgtrickle::compiler
