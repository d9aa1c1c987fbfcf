// libpg_query's C interface for text -> tree and tree -> text, wrapped in values: no exceptions for input that the
// library does not take. Thread-safe: the library keeps its state per thread.
#pragma once

#include <optional>
#include <string>

#include "pg_query.pb.h"

namespace pgtrickle::compiler {

/// The tree of a statement, locations cleared; nullopt and `error` (if wanted) if the text cannot be parsed.
std::optional<pg_query::ParseResult> text_to_tree(const std::string& sql, std::string* error = nullptr);

/// What libpg_query writes for a tree. The text may mean something else than the tree: it loses parentheses.
std::optional<std::string> tree_to_text(const pg_query::ParseResult& tree);

/// Clears the positions in the text that nodes carry.
void clear_locations(google::protobuf::Message& message);

}  // namespace pgtrickle::compiler
