#include "planner/cron.h"

#include <date/tz.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <stdexcept>
#include <vector>

namespace pgtrickle::planner {
namespace {

constexpr int kYearsAhead = 5;
constexpr std::size_t kMostDigits = 2;
constexpr std::array kDaysOfMonths{31U, 29U, 31U, 30U, 31U, 30U, 31U, 31U, 30U, 31U, 30U, 31U};

struct Field {
  const char* name;
  int min, max;
  std::vector<std::string> names;  // of min, min + 1, ...
};

const std::array<Field, 5>& fields() {
  static const std::array<Field, 5> kFields{
      Field{"minute", 0, 59, {}}, Field{"hour", 0, 23, {}}, Field{"day of month", 1, 31, {}},
      Field{"month", 1, 12, {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
      Field{"day of week", 0, 7, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}}};
  return kFields;
}

struct BadField : std::runtime_error {
  using std::runtime_error::runtime_error;
};

bool digits_only(const std::string& text) {
  return !text.empty() && text.size() <= kMostDigits &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

int number(const Field& field, const std::string& text) {
  for (std::size_t i = 0; i < field.names.size(); ++i) {
    if (text == field.names[i]) return field.min + static_cast<int>(i);
  }
  const int value = digits_only(text) ? std::stoi(text) : -1;
  if (value < field.min || value > field.max) {
    throw BadField(std::string(field.name) + ": \"" + text + "\" is not between " + std::to_string(field.min) +
                   " and " + std::to_string(field.max));
  }
  return value;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    if (c == separator) {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

std::vector<int> values(const Field& field, const std::string& text) {
  std::vector<int> out;
  for (const std::string& item : split(text, ',')) {
    const auto parts = split(item, '/');
    if (parts.size() > 2) throw BadField(std::string(field.name) + ": \"" + item + "\" has two steps");
    const auto range = split(parts[0], '-');
    int from = field.min;
    int to = field.max;
    if (parts[0] != "*") {
      if (range.size() > 2) throw BadField(std::string(field.name) + ": \"" + parts[0] + "\" is not a range");
      from = number(field, range[0]);
      to = range.size() == 2 ? number(field, range[1]) : from;
      if (parts.size() == 2 && range.size() == 1)
        throw BadField(std::string(field.name) + ": a step needs a range or *");
    }
    if (to < from) throw BadField(std::string(field.name) + ": \"" + parts[0] + "\" ends before it begins");
    int step = 1;
    if (parts.size() == 2) {
      step = digits_only(parts[1]) ? std::stoi(parts[1]) : 0;
      if (step < 1 || step > field.max - field.min + 1)
        throw BadField(std::string(field.name) + ": \"" + parts[1] + "\" is not a step");
    }
    for (int value = from; value <= to; value += step) out.push_back(value);
  }
  return out;
}

/// Apart at blanks.
std::vector<std::string> words_of(const std::string& text) {
  constexpr const char* kBlanks = " \t\n\r";  // as in sql/10_schedule.sql
  std::vector<std::string> out;
  for (auto at = text.find_first_not_of(kBlanks); at != std::string::npos;) {
    const auto end = text.find_first_of(kBlanks, at);
    out.push_back(text.substr(at, end - at));
    at = text.find_first_not_of(kBlanks, std::min(end, text.size()));
  }
  return out;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

const date::time_zone* zone_named(const std::string& name) {
  try {
    return date::locate_zone(name);
  } catch (const std::runtime_error&) {
    return nullptr;
  }
}

}  // namespace

std::optional<Cron> Cron::parse(const std::string& text, std::string* problem) {
  static const std::map<std::string, std::string> kNicknames{
      {"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
      {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}};
  Cron cron;
  cron.text_ = text;
  cron.zone_ = "UTC";
  std::vector<std::string> words = words_of(text);
  try {
    for (const std::string prefix : {"TZ=", "CRON_TZ="}) {
      if (words.empty() || !words[0].starts_with(prefix)) continue;
      cron.zone_ = words[0].substr(prefix.size());
      words.erase(words.begin());
      break;
    }
    // That of this machine, which need not be the server's.
    if (cron.zone_ == "localtime" || zone_named(cron.zone_) == nullptr)
      throw BadField("time zone \"" + cron.zone_ + "\" is not known");
    if (words.size() == 1 && kNicknames.contains(lower(words[0]))) words = words_of(kNicknames.at(lower(words[0])));
    if (words.size() != fields().size()) throw BadField("a cron schedule has five fields");
    for (std::size_t i = 0; i < words.size(); ++i) {
      for (const int value : values(fields()[i], lower(words[i]))) {
        const auto bit = static_cast<std::size_t>(value);
        switch (i) {
          case 0:
            cron.minutes_.set(bit);
            break;
          case 1:
            cron.hours_.set(bit);
            break;
          case 2:
            cron.month_days_.set(bit);
            break;
          case 3:
            cron.months_.set(bit);
            break;
          default:
            cron.week_days_.set(bit % 7);
        }
      }
    }
    cron.any_month_day_ = words[2].starts_with("*");
    cron.any_week_day_ = words[4].starts_with("*");
    if ((cron.any_month_day_ || cron.any_week_day_) && !cron.has_a_day())
      throw BadField("day of month: no month has such a day");
  } catch (const BadField& bad) {
    if (problem != nullptr) *problem = bad.what();
    return std::nullopt;
  }
  return cron;
}

bool Cron::has_a_day() const {
  for (std::size_t month = 0; month < kDaysOfMonths.size(); ++month) {
    if (!months_.test(month + 1)) continue;
    for (std::size_t day = 1; day <= kDaysOfMonths.at(month); ++day) {
      if (month_days_.test(day)) return true;
    }
  }
  return false;
}

std::string Cron::meaning() const {
  const auto list = [](const auto& bits, std::size_t first, bool any) {
    std::string out;
    for (std::size_t i = first; i < bits.size(); ++i) {
      if (bits.test(i)) out += (out.empty() ? "" : ",") + std::to_string(i);
    }
    return (any ? " *" : " ") + (bits.count() == bits.size() - first ? "all" : out);
  };
  return zone_ + list(minutes_, 0, false) + list(hours_, 0, false) + list(month_days_, 1, any_month_day_) +
         list(months_, 1, false) + list(week_days_, 0, any_week_day_);
}

bool Cron::day_matches(unsigned month_day, unsigned week_day) const {
  const bool by_month = month_days_.test(month_day);
  const bool by_week = week_days_.test(week_day);
  if (any_month_day_ || any_week_day_) return by_month && by_week;
  return by_month || by_week;
}

// Local times of which the earliest moment is taken never run backwards in moments: the first match after `after` is
// the next one.
std::optional<WallTime> Cron::next(WallTime after) const {
  const date::time_zone* zone = zone_named(zone_);
  if (zone == nullptr) return std::nullopt;  // the files were removed
  const auto moment_of = [zone](date::local_seconds at) { return zone->to_sys(at, date::choose::earliest); };
  auto day = std::chrono::floor<date::days>(zone->to_local(std::chrono::floor<std::chrono::seconds>(after)));
  const auto last = day + date::days(366 * kYearsAhead);
  for (; day <= last; day += date::days(1)) {
    const date::year_month_day ymd(day);
    if (!months_.test(static_cast<unsigned>(ymd.month()))) continue;
    if (!day_matches(static_cast<unsigned>(ymd.day()), date::weekday(day).c_encoding())) continue;
    for (std::size_t hour = 0; hour < hours_.size(); ++hour) {
      const date::local_seconds begin = day + std::chrono::hours(hour);
      if (!hours_.test(hour) || moment_of(begin + std::chrono::minutes(59)) <= after) continue;
      for (std::size_t minute = 0; minute < minutes_.size(); ++minute) {
        if (!minutes_.test(minute)) continue;
        const auto moment = moment_of(begin + std::chrono::minutes(minute));
        if (moment > after) return moment;
      }
    }
  }
  return std::nullopt;
}

}  // namespace pgtrickle::planner
