// Random scalar expressions over a set of atoms (columns; or group keys and aggregates), of a wanted kind.
#pragma once

#include <string>
#include <vector>

#include "property/random.h"
#include "property/types.h"

namespace pgt::property {

struct Expression {
  std::string sql;
  Value value;
  bool constant = false;  // no atom in it
};

class ExpressionGenerator {
 public:
  ExpressionGenerator(Random& random, const std::vector<Expression>& atoms) : random_(random), atoms_(atoms) {}

  Expression any(int depth);
  Expression of(Kind kind, int depth);
  std::string predicate(int depth);

 private:
  Expression leaf(Kind kind);
  Expression constant(Kind kind);
  Expression integer(int depth);
  Expression numeric(int depth);
  Expression text(int depth);
  Expression date(int depth);
  Expression timestamp(int depth);
  Expression floating(int depth);
  Expression json(int depth);
  Expression conditional(Kind kind, int depth);
  std::string comparison(int depth);

  Random& random_;
  const std::vector<Expression>& atoms_;
};

double limit_of(Type type);

}  // namespace pgt::property
