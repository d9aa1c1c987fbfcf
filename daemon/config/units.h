// Durations and sizes as people write them: '250ms', '1s', '1h30m', '256kB'. Pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgtrickle::config {

/// Numbers with a unit (ms, s, m or min, h, d, w), one after the other, spaces allowed; 0 needs no unit. Nothing if the
/// text is something else or does not fit.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// The shortest text that parse_duration() reads as the same value: '1h30m', '250ms', '0'.
std::string format_duration(std::chrono::milliseconds value);

/// A number with B, kB, MB or GB (powers of 1024); without a unit it is bytes.
std::optional<std::int64_t> parse_size(std::string_view text);

/// The shortest text that parse_size() reads as the same value.
std::string format_size(std::int64_t bytes);

/// The words of a list that is separated by commas and blanks.
std::vector<std::string> words(std::string_view list);

}  // namespace pgtrickle::config
