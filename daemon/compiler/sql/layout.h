// How statements are laid out: what is short stands on one line; otherwise each clause gets a line of its own, and one
// that is longer than a line is broken between its items. Text goes on below the place where it began.
#pragma once

#include <string>
#include <vector>

namespace pgtrickle::compiler {

/// What stands between the items of a clause.
enum class Separator { kComma, kAnd };

struct Clause {
  std::string keyword;  // empty: the items stand for themselves
  std::vector<std::string> items;
  Separator separator = Separator::kComma;
};

std::string lay_out(const std::vector<Clause>& clauses);
/// Whether a text may stand in a line of its own.
bool fits_a_line(const std::string& text);

}  // namespace pgtrickle::compiler
