// How a build ends that does not end well: exceptions of the catalog folder, and the BuildResult that each of them, an
// error of the server or of the compiler becomes.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>

#include "catalog/builder.h"

namespace pgtrickle::catalog {

/// Ends a build with an outcome that is recorded in the catalog.
struct BuildFailure : std::runtime_error {
  BuildFailure(std::string code, const std::string& message, std::string advice)
      : std::runtime_error(message), sqlstate(std::move(code)), hint(std::move(advice)) {}
  std::string sqlstate;
  std::string hint;
};

struct Gone {};

/// Ends a build that is to be tried again: a source is being loaded, its watermark is not aligned, the query is
/// altered.
struct Held {
  std::string reason;
};

/// Ends a build that cannot have a lock for now.
struct Blocked {
  std::string message;
};

/// Runs `work`; never throws.
BuildResult guarded(const std::function<BuildResult()>& work);

}  // namespace pgtrickle::catalog
