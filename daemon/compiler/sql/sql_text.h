// Small text helpers for the SQL around expressions: quoting by the server's rules, indentation, unique names.
// Expressions themselves are trees and are written by libpg_query's deparser (parse/ast.h).
#pragma once

#include <string>
#include <vector>

namespace pgtrickle::compiler {

/// As quote_ident(): quotes unless it is a plain lower-case name that is no keyword.
std::string quote_ident(const std::string& name);
/// As quote_literal(): E'' form if it contains a backslash.
std::string quote_literal(const std::string& text);
std::string qualified(const std::string& schema, const std::string& name);

std::string join(const std::vector<std::string>& parts, const std::string& separator);
/// Each name with `prefix` ("t.") in front.
std::vector<std::string> prefixed(const std::vector<std::string>& names, const std::string& prefix);
/// Every line of `text` (SQL) after the first gets `spaces` blanks in front; line breaks inside quotes are left alone.
std::string indent(const std::string& text, int spaces);
void append_indented(std::string& to, const std::string& text, std::size_t spaces);

/// The text on one line, cut to at most `bytes` (and " ..."), not within a character.
std::string one_line(std::string text, std::size_t bytes);

/// Makes the names distinct from each other and from the weight and run columns, keeping them within 63 bytes.
std::vector<std::string> unique_names(const std::vector<std::string>& wanted);
/// A readable lower-case ASCII identifier made from any text, for CTE names.
std::string plain_name(const std::string& text);

}  // namespace pgtrickle::compiler
