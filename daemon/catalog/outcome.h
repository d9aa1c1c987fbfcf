// How a build ends that does not end well: exceptions of the catalog folder, and the BuildResult that each of them, an
// error of the server or of the compiler becomes.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>

#include "catalog/builder.h"
#include "postgres/error.h"

namespace pgtrickle::catalog {

/// Ends a build with an outcome that is recorded in the catalog.
struct BuildFailure : std::runtime_error {
  BuildFailure(Condition condition, const std::string& message, std::string hint)
      : BuildFailure(postgres::our_error(condition, message, std::move(hint))) {}
  explicit BuildFailure(postgres::Error what) : std::runtime_error(what.message), error(std::move(what)) {}
  postgres::Error error;
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
