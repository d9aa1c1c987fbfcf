// Random scalar expressions over a set of atoms (columns; or group keys and aggregates), of a wanted kind.
// expression.cpp has the values, predicate.cpp what is true or false.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "property/features.h"
#include "property/types.h"

namespace pgt::property {

struct Expression {
  std::string sql;
  Value value;
  bool constant = false;   // no atom in it
  std::string outer = {};  // how a subquery refers to it; empty: it cannot
};

using Atoms = std::vector<Expression>;

/// Makes subqueries that stand in an expression; what may be correlated with is among the atoms.
class SublinkSource {
 public:
  virtual ~SublinkSource() = default;
  virtual std::optional<std::string> sublink_predicate(const Atoms& atoms) = 0;
  virtual std::optional<Expression> scalar_sublink(const Atoms& atoms, Kind kind) = 0;
};

class ExpressionGenerator {
 public:
  /// Without a source there are no subqueries.
  ExpressionGenerator(Context& context, const Atoms& atoms, SublinkSource* sublinks = nullptr)
      : context_(context), random_(context.random), atoms_(atoms), sublinks_(sublinks) {}

  Expression any(int depth);
  Expression of(Kind kind, int depth);
  /// An atom or a constant.
  Expression leaf(Kind kind);
  std::string predicate(int depth);

 private:
  Expression constant(Kind kind);
  Expression integer(int depth);
  Expression integer_of_other(const Expression& otherwise, int depth);
  Expression numeric(int depth);
  Expression text(int depth);
  Expression text_syntax(const Expression& x);
  Expression date(int depth);
  Expression timestamp(int depth);
  Expression floating(int depth);
  Expression json(int depth);
  Expression array(int depth);
  Expression enumerated(int depth);
  Expression range(int depth);
  Expression pair(int depth);
  Expression conditional(Kind kind, int depth);

  std::string comparison(int depth);
  std::string json_test(const Expression& x);
  std::string text_test(const Expression& x);
  std::string array_test(const Expression& x);
  std::string range_test(const Expression& x);
  std::string row_test();
  std::string boolean_test(int depth);

  Context& context_;
  Random& random_;
  const Atoms& atoms_;
  SublinkSource* sublinks_;
};

double limit_of(Type type);

}  // namespace pgt::property
