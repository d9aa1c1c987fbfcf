// RecursiveReference: the place within the recursive term of a WITH RECURSIVE where the term reads the result itself.
// Rule: it never changes by itself. What it stands for is said by the Recursive that it belongs to (recursive.h), each
// time before the term is rendered: the stored result, or the rows that the last round has found.
#pragma once

#include <memory>
#include <string>

#include "compiler/operators/operator.h"

namespace pgtrickle::compiler {

/// What a reference and its Recursive share; copies of them share it too.
struct RecursiveRows {
  std::string name;  // of the CTE
  FromItem from;     // what the reference stands for
  std::vector<OutputColumn> columns;
  std::set<int> lookups;  // columns by which the term looks its rows up
};

class RecursiveReference final : public Operator {
 public:
  explicit RecursiveReference(std::shared_ptr<RecursiveRows> rows) : rows_(std::move(rows)) {
    columns_ = rows_->columns;
  }

  [[nodiscard]] const RecursiveRows* rows() const { return rows_.get(); }

  [[nodiscard]] OperatorPtr clone() const override { return std::make_unique<RecursiveReference>(*this); }
  [[nodiscard]] FromItem post() const override { return rows_->from; }
  [[nodiscard]] Delta delta(Statement& statement, bool consolidate) const override;
  [[nodiscard]] std::optional<std::vector<Meeting>> meetings() const override { return std::vector<Meeting>(); }
  std::vector<int> prune(const std::set<int>& needed) override;
  void resolve_types(TypeOracle& /*oracle*/) override { columns_ = rows_->columns; }
  void advise_lookup(int column, std::vector<std::string>& /*advice*/) const override { rows_->lookups.insert(column); }
  [[nodiscard]] bool indexed(int column) const override;
  [[nodiscard]] std::optional<std::string> non_monotone() const override { return std::nullopt; }
  [[nodiscard]] std::string describe() const override { return "Reference to " + rows_->name; }
  [[nodiscard]] std::string cost_class() const override { return "O(delta)"; }

 private:
  std::shared_ptr<RecursiveRows> rows_;
};

}  // namespace pgtrickle::compiler
