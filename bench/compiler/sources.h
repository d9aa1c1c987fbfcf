// What the benchmarks of the compiler compile: TPC-H's tables and queries, and made-up queries of any size, with a
// hand-made catalog and a type oracle that answers without a server.
#pragma once

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "compiler/compile.h"

namespace pgtrickle::bench {

/// TPC-H's tables; t1 ... t16 (k, and columns c1 ... c200); a few functions.
compiler::Catalog make_catalog();

struct Query {
  std::string name;
  std::string text;  // canonical
};
std::vector<Query> tpch_queries();
Query join_of(int tables);
Query columns_of(int columns);
Query union_of(int branches);
Query expression_of(int operators);
Query nested_of(int levels);

/// Answers are remembered, so that what it takes to find them is not part of a measurement: a server would do it.
class RememberedTypes : public compiler::TypeOracle {
 public:
  std::vector<compiler::TypeInfo> column_types(const std::string& select) override;
  /// Each as itself: the queries compare equal types, or a column with a sum of its type.
  std::pair<compiler::TypeInfo, compiler::TypeInfo> compared_as(const compiler::TypeInfo& left,
                                                                const compiler::TypeInfo& right) override {
    return {left, right};
  }

 private:
  std::unordered_map<std::string, std::vector<compiler::TypeInfo>> known_;
};

compiler::CompileRequest request_for(const Query& query);

}  // namespace pgtrickle::bench
