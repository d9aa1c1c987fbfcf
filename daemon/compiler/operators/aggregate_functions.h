// How each aggregate function is maintained: which running values ("components") a group's state keeps for it, and how
// its value is computed from them.
//
//   add       linear: new = old + sum over the delta of w * f(row)                count, sum, avg, var*, stddev*,
//   bool_* extremum  LEAST/GREATEST with what was inserted; if what was deleted equals (or passes) the stored extremum
//   and
//             nothing inserted does, the group is recomputed: even if something does where equal is not the same
//             (1.0 and 1.00)                                                      min, max
//   replace   the group is recomputed whenever it is affected                      everything else
//
// Exactness notes. Sums of float4/float8 are not invertible (rounding): replace. numeric NaN and infinities poison a
// running sum for ever: a group that has one in its state or its delta is recomputed. avg and the variances divide, and
// PostgreSQL's numeric division depends on the display scale of its operands; for arguments without a fixed scale the
// state keeps a histogram of scales, as the digits of one number, so that the sum can be shown with the scale that a
// fresh sum would have. The variance formulas are those of numeric_stddev_internal() in PostgreSQL's numeric.c.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compiler/operators/operator.h"

namespace pgtrickle::compiler {

struct AggregateCall {
  Node call;           // the FuncCall over the aggregate's input row
  std::string schema;  // empty: pg_catalog
  std::string name;
  std::vector<TypeInfo> argument_types;  // set by resolve_types()
  bool fixed_scale = false;              // the argument is a plain numeric(p,s) column

  [[nodiscard]] const pg_query::FuncCall& func() const { return call.func_call(); }
};

enum class Maintenance { kAdd, kExtremum, kReplace };

struct Component {
  Maintenance maintenance = Maintenance::kAdd;
  std::string hint;                    // for the state column's name
  std::string full;                    // aggregate over the rows of the post-state, in scope as i
  std::string delta;                   // add: aggregate over the delta's rows, in scope as i with weight i.w
  std::string inserted;                // extremum: over rows with positive weight
  std::string deleted;                 // extremum: over rows with negative weight
  bool greatest = false;               // extremum: max
  bool spelled = false;                // extremum: of values that can be equal without being the same
  bool numeric_sum = false;            // add: may become NaN or infinite
  std::optional<std::string> told_by;  // add: only right where the component with this `full` is neither

  [[nodiscard]] bool operator==(const Component& other) const { return full == other.full; }
};

struct AggregatePlan {
  Maintenance maintenance = Maintenance::kAdd;
  std::vector<Component> components;
  /// SQL of the value, given the SQL of each component (parallel to components) and of the group's row count.
  std::function<std::string(const std::vector<std::string>& components, const std::string& n)> value;
  std::string note;  // for explain; empty if there is nothing to say
};

/// Decides for one call. `input` is the aggregate's input operator, for rendering the arguments.
AggregatePlan plan_aggregate(const AggregateCall& call, const Operator& input);

}  // namespace pgtrickle::compiler
