#include "scheduler/signals.h"

namespace pgtrickle::scheduler {

void Signals::wake_control() {
  if (const auto connection = control_.lock()) connection->poke();
}

void Signals::reload_soon() {
  reload_ = true;
  wake_control();
}

void Signals::wake_control_if_asked() {
  if (reload_ || !changed_.empty()) wake_control();
}

void Signals::wake_dispatcher() {
  dispatch_.set();
  if (const auto connection = listener_.lock()) connection->poke();
}

// What was asked for until now is in it.
void Signals::catalog_is_loaded() {
  reload_ = false;
  reload_by_ = TimePoint::max();
  changed_.clear();
}

}  // namespace pgtrickle::scheduler
