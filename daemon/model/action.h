// What a refresh of a stream table did or found, as refresh_<id> answers it, and what the daemon makes of one that it
// never got an answer for. The one table of their texts is in action.cpp.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace pgtrickle {

enum class Action {
  kNoData,
  kDifferential,
  kFull,
  kSkipped,
  kReinit,
  kHeld,
  kBlown,
  kEmpty,
  kDeferred,
  kPaused,
};

struct ActionInfo {
  Action action;
  const char* name;
  bool of_a_program;  // refresh_<id>('auto') can answer it
  const char* meaning;
};

/// In the order of Action.
[[nodiscard]] std::span<const ActionInfo> action_register();
[[nodiscard]] std::string to_string(Action action);
/// None if it is no answer of a program to 'auto'. Programs belong to owners of stream tables: they can say anything.
[[nodiscard]] std::optional<Action> parse_answer(std::string_view text);
/// None if it is the name of no action.
[[nodiscard]] std::optional<Action> parse_action(std::string_view text);

/// Rows were computed and applied.
[[nodiscard]] constexpr bool applies(Action action) {
  return action == Action::kDifferential || action == Action::kFull;
}

}  // namespace pgtrickle
