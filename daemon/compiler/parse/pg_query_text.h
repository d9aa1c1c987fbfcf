// libpg_query's C interface for text -> tree and tree -> text, wrapped in values: no exceptions for input that the
// library does not take. Thread-safe: the library keeps its state per thread.
//
// The library and protobuf recurse into trees without looking at the stack, and so do the passes of the compiler. So
// nothing is parsed whose tokens allow more than kMaxOpenNodes nodes on one path (measured: 0.4 kB of stack for each),
// and nothing is given to anybody that is deeper than kNestingCeiling levels (deparsing: up to 4 kB for each). Both
// stay below 4 MB, half of the usual stack.
#pragma once

#include <optional>
#include <string>

#include "pg_query.pb.h"

namespace pgtrickle::compiler {

constexpr int kNestingCeiling = 1000;
constexpr int kMaxOpenNodes = 8192;

struct ParsedText {
  std::optional<pg_query::ParseResult> tree;  // locations cleared
  std::string error;                          // why there is none
  int nesting = 0;                            // levels of the tree; more than kNestingCeiling: there is no tree
};
ParsedText text_to_tree(const std::string& sql);

/// What libpg_query writes for a tree. The text may mean something else than the tree: it loses parentheses.
std::optional<std::string> tree_to_text(const pg_query::ParseResult& tree);

/// Clears the positions in the text that nodes carry.
void clear_locations(google::protobuf::Message& message);

/// Levels of nesting: operators, calls, queries and joins on the longest path down from `message`. Branches of a set
/// operation are levels too: the tree of a UNION is as deep as it has branches. Answers stop + 1 if there are more.
int nesting(const google::protobuf::Message& message, int stop);

/// An upper bound, from the tokens alone, of the nodes on one path in the tree of a statement. Not recursive.
int open_nodes(const std::string& sql);

}  // namespace pgtrickle::compiler
