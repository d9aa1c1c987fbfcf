#include "planner/arming.h"

#include <algorithm>

namespace pgtrickle::planner {

void Arming::put(SourceId source, std::chrono::milliseconds period) {
  Source& state = sources_[source];
  if (state.period != period) {  // what was busy at the old period need not be at the new one
    state.short_sleeps = 0;
    state.not_before = TimePoint::min();
  }
  state.period = period;
}

bool Arming::remove(SourceId source) {
  const auto found = sources_.find(source);
  if (found == sources_.end()) return false;
  const bool was_armed = found->second.armed_at.has_value();
  sources_.erase(found);
  return was_armed;
}

bool Arming::may_arm(SourceId source, TimePoint now) const {
  const auto found = sources_.find(source);
  return found != sources_.end() && !found->second.armed_at && now >= found->second.not_before;
}

void Arming::armed(SourceId source, TimePoint now) {
  if (const auto found = sources_.find(source); found != sources_.end()) found->second.armed_at = now;
}

void Arming::refused(SourceId source, TimePoint now) {
  if (const auto found = sources_.find(source); found != sources_.end()) found->second.not_before = now + kRefusedPause;
}

bool Arming::woken(SourceId source, TimePoint now) {
  const auto found = sources_.find(source);
  if (found == sources_.end() || !found->second.armed_at) return false;
  Source& state = found->second;
  state.short_sleeps = now - *state.armed_at < state.period * kShortSleep ? state.short_sleeps + 1 : 0;
  state.armed_at.reset();
  if (state.short_sleeps > kShortSleepsAllowed) {
    const int doublings = std::min(state.short_sleeps - kShortSleepsAllowed - 1, 10);
    const int periods = std::min(kLongestPause, kFirstPause * (1 << doublings));
    state.not_before = now + std::min(kPauseMax, state.period * periods);
  }
  return true;
}

std::vector<SourceId> Arming::wake_all() {
  std::vector<SourceId> were_armed;
  for (auto& [id, source] : sources_) {
    if (source.armed_at) were_armed.push_back(id);
    source.armed_at.reset();
  }
  return were_armed;
}

std::optional<TimePoint> Arming::armed_at(SourceId source) const {
  const auto found = sources_.find(source);
  return found == sources_.end() ? std::nullopt : found->second.armed_at;
}

std::size_t Arming::asleep() const {
  return static_cast<std::size_t>(
      std::count_if(sources_.begin(), sources_.end(), [](const auto& s) { return s.second.armed_at.has_value(); }));
}

}  // namespace pgtrickle::planner
