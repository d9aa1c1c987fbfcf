// What every part of the daemon calls a stream table and a source. A part that knows more about one than this has its
// own structure, which begins with the identity.
#pragma once

#include <string>

#include "model/ids.h"

namespace pgtrickle {

struct StreamTableIdentity {
  TableId id = 0;
  std::string schema, name;

  /// For people: as alerts, logs and the API show it, not quoted.
  [[nodiscard]] std::string label() const { return schema + "." + name; }
};

}  // namespace pgtrickle
