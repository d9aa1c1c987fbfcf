// Why a query cannot be compiled, in words a user understands. Two channels, on purpose: inside the compiler these are
// exceptions, because a pass that meets an unsupported construct has nothing sensible to return; at the public
// boundary (compile.h) they become values, because "not incremental" is an expected outcome.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace pgtrickle::compiler {

/// The query is valid but this compiler cannot maintain it incrementally: FULL in AUTO mode, an error in DIFFERENTIAL.
class Unsupported : public std::runtime_error {
 public:
  Unsupported(const std::string& what, std::string fragment, std::string hint = {})
      : std::runtime_error(what), fragment_(std::move(fragment)), hint_(std::move(hint)) {}
  /// The offending piece of SQL; may be empty.
  [[nodiscard]] const std::string& fragment() const { return fragment_; }
  [[nodiscard]] const std::string& hint() const { return hint_; }

 private:
  std::string fragment_;
  std::string hint_;
};

/// The query is rejected in every refresh mode (its result is not well defined, or it is not a query).
class Rejected : public Unsupported {
 public:
  using Unsupported::Unsupported;
};

}  // namespace pgtrickle::compiler
