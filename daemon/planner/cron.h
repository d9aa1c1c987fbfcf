// Cron expressions: five fields (minute, hour, day of month, month, day of week), lists, ranges, steps, names, and
// @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually; before them optionally a time zone:
// "TZ=Europe/Berlin 0 6 * * 1-5" (default UTC). As in vixie cron a day matches if either of two restricted day fields
// does. Pure but for the system's time zone files. SQL refuses what is not right (sql/10_schedule.sql); both are held
// to tests/judgements/schedules.tsv.
//
// Around changes of the clock: a time that does not exist is skipped to the first one that does, a time that happens
// twice counts once, at its first occurrence.
#pragma once

#include <bitset>
#include <chrono>
#include <optional>
#include <string>

namespace pgtrickle::planner {

using WallTime = std::chrono::system_clock::time_point;

class Cron {
 public:
  /// Nothing if the text is not one of these; `problem`, if given, then says why.
  static std::optional<Cron> parse(const std::string& text, std::string* problem = nullptr);

  /// The first moment after `after` that matches; none if there is none within five years.
  [[nodiscard]] std::optional<WallTime> next(WallTime after) const;

  [[nodiscard]] const std::string& text() const { return text_; }
  /// As pgtrickle._cron_meaning() says it: the zone, and what each field allows.
  [[nodiscard]] std::string meaning() const;

 private:
  Cron() = default;
  [[nodiscard]] bool day_matches(unsigned month_day, unsigned week_day) const;
  [[nodiscard]] bool has_a_day() const;

  std::string text_, zone_;
  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> month_days_;
  std::bitset<13> months_;
  std::bitset<7> week_days_;
  bool any_month_day_ = true, any_week_day_ = true;
};

}  // namespace pgtrickle::planner
