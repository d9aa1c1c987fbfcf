// Scan of a base relation (or stream table), with the filters that concern it alone.
//
// Rule: linear. post = the table, filtered. delta = the pending rows of its change log, filtered, consolidated: an
// update that undoes another, or that changes only columns this query does not read, nets to nothing. The naive version
// takes "the last change per key" (DISTINCT ON) and loses corrections; weights are summed instead.
#pragma once

#include "compiler/operators/operator.h"

namespace pgtrickle::compiler {

class Scan final : public Operator {
 public:
  explicit Scan(const Source& source);

  [[nodiscard]] OperatorPtr clone() const override { return std::make_unique<Scan>(*this); }
  [[nodiscard]] FromItem post() const override;
  /// The same of another relation with the columns of the source; `carried` are expressions beside them.
  [[nodiscard]] Select of(const std::string& relation, const std::vector<std::string>& carried) const;
  [[nodiscard]] Delta delta(Statement& statement, bool consolidate) const override;
  [[nodiscard]] std::optional<Reads> reads() const override;  // columns of the output and of the filters, ascending
  void number(const SourceNumbers& numbers) override;
  [[nodiscard]] std::uint64_t source_mask() const override { return mask_; }
  [[nodiscard]] std::optional<Origin> source_of(int column) const override;
  [[nodiscard]] std::optional<std::vector<Meeting>> meetings() const override { return std::vector<Meeting>(); }
  std::vector<int> prune(const std::set<int>& needed) override;
  bool absorb_filter(const Node& predicate) override;
  [[nodiscard]] std::vector<Key> keys() const override;
  [[nodiscard]] bool indexed(int column) const override;
  [[nodiscard]] bool in_order(int column) const override;
  [[nodiscard]] std::optional<std::string> non_monotone() const override { return std::nullopt; }
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] std::string cost_class() const override { return "O(delta)"; }

  void advise_lookup(int column, std::vector<std::string>& advice) const override;

 private:
  [[nodiscard]] std::vector<std::string> conditions(const std::string& alias, bool from_log) const;

  const Source* source_;          // owned by the Catalog, which outlives the compilation
  std::vector<int> position_;     // output column -> position in source columns
  std::vector<Node> predicates_;  // over positions in source columns
  std::uint64_t mask_ = 0;
};

}  // namespace pgtrickle::compiler
