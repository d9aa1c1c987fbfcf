#include "model/action.h"

#include <algorithm>
#include <array>

namespace pgtrickle {
namespace {

constexpr std::array kActions{
    ActionInfo{Action::kNoData, "NO_DATA", true, "nothing was pending, nothing was written"},
    ActionInfo{Action::kDifferential, "DIFFERENTIAL", true, "the effect of the pending changes was applied"},
    ActionInfo{Action::kFull, "FULL", true, "the query was computed, and what differed was applied"},
    ActionInfo{Action::kSkipped, "SKIPPED", true, "the frontier moved and nothing was applied (reset_fuse)"},
    ActionInfo{Action::kReinit, "REINIT", true, "nothing was done: it must be built again first"},
    ActionInfo{Action::kHeld, "HELD", true, "nothing was done: a gate or a watermark group holds it"},
    ActionInfo{Action::kBlown, "BLOWN", true, "nothing was done: its fuse is blown, or blows with this"},
    ActionInfo{Action::kEmpty, "EMPTY", false, "rows and frontier were removed (mode 'empty', for cycles)"},
    ActionInfo{Action::kDeferred, "DEFERRED", false,
               "nothing was done: a table that it is refreshed together with was the reason"},
    ActionInfo{Action::kPaused, "PAUSED", false, "nothing was done: the database is paused"},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kActions.size(); ++i) {
    if (static_cast<std::size_t>(kActions[i].action) != i) return false;
  }
  return true;
}
static_assert(in_order());

}  // namespace

std::span<const ActionInfo> action_register() {
  return kActions;
}

std::string to_string(Action action) {
  return kActions.at(static_cast<std::size_t>(action)).name;
}

std::optional<Action> parse_action(std::string_view text) {
  const auto found =
      std::find_if(kActions.begin(), kActions.end(), [&](const auto& info) { return info.name == text; });
  return found == kActions.end() ? std::nullopt : std::optional(found->action);
}

std::optional<Action> parse_answer(std::string_view text) {
  const auto action = parse_action(text);
  return action && kActions.at(static_cast<std::size_t>(*action)).of_a_program ? action : std::nullopt;
}

}  // namespace pgtrickle
