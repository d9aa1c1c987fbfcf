// Moments for machines and people: 2026-05-01T12:00:00.123Z.
#pragma once

#include <chrono>
#include <string>

namespace pgtrickle::observe {

[[nodiscard]] std::string iso_time(std::chrono::system_clock::time_point time);

}  // namespace pgtrickle::observe
