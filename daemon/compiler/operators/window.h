// Window functions over one partitioning. Rule: keyed recompute (keyed_recompute.h): one changed row can change the
// value of every row of its partition, so affected partitions are computed afresh; only rows that differ are written.
// Calls that partition differently are operators of their own, one above the other. Without PARTITION BY the whole
// input is one partition.
#pragma once

#include "compiler/operators/keyed_recompute.h"

namespace pgtrickle::compiler {

class Window final : public KeyedRecompute {
 public:
  /// `calls` are over the input's row and carry their complete window definition, whose PARTITION BY is `partition`.
  /// Output columns: those of the input, then the calls, named by `names`.
  Window(OperatorPtr input, std::vector<Node> calls, const std::vector<Node>& partition,
         const std::vector<std::string>& names);

  [[nodiscard]] OperatorPtr clone() const override { return std::make_unique<Window>(*this); }
  std::vector<int> prune(const std::set<int>& needed) override;
  void resolve_types(TypeOracle& oracle) override;
  [[nodiscard]] std::vector<Key> keys() const override;
  [[nodiscard]] std::string describe() const override;

 protected:
  [[nodiscard]] Select compute(const FromItem& rows) const override;

 private:
  std::vector<Node> calls_;
};

}  // namespace pgtrickle::compiler
