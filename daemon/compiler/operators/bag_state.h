// The state table of an operator that stores its output rows as they are, duplicates included, and answers a change by
// computing some of them afresh: the stored rows and the fresh ones are subtracted from each other, only what differs
// is written, and the difference is the operator's change. Rows are the same if they are the same in every respect, not
// only equal. Copies of a row are deleted by ctid, as many as the difference says.
#pragma once

#include <string>
#include <vector>

#include "compiler/operators/stateful.h"

namespace pgtrickle::compiler {

class Statement;

class BagState {
 public:
  /// `columns` of the table, types resolved.
  BagState(std::string table, const std::vector<OutputColumn>& columns) : table_(std::move(table)), columns_(columns) {}

  /// Replaces the stored rows by the fresh ones. Both queries begin with the columns, in order; that of the stored rows
  /// ends with their ctid.
  [[nodiscard]] Changes replace(Statement& statement, const Query& stored, const Query& fresh) const;

  [[nodiscard]] std::vector<std::string> names(const std::string& prefix = {}) const;
  [[nodiscard]] std::vector<TypeInfo> types() const;

 private:
  std::string table_;
  const std::vector<OutputColumn>& columns_;
};

}  // namespace pgtrickle::compiler
