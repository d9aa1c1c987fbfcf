#include "planner/schedule.h"

#include <algorithm>
#include <cctype>

namespace pgtrickle::planner {
namespace {

constexpr const char* kBlanks = " \t\r\n";

std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(kBlanks);
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

}  // namespace

std::optional<Schedule> parse_schedule(const std::string& text, std::optional<Milliseconds> milliseconds) {
  const std::string body = trimmed(text);
  Schedule out;
  const std::string kind = lower(body.substr(0, body.find_first_of(kBlanks)));
  if (kind == "calculated" && kind.size() == body.size()) return out;
  if (kind == "continuous" && (kind.size() == body.size()) != milliseconds.has_value()) {
    out.kind = Schedule::Kind::kContinuous;
    out.period = milliseconds;
    return out;
  }
  if (milliseconds) return Schedule::every(*milliseconds);
  out.kind = Schedule::Kind::kCron;
  out.cron = Cron::parse(body);
  if (!out.cron) return std::nullopt;
  return out;
}

void Need::add(const Need& other) {
  by_default = by_default && other.by_default;
  if (other.period) period = std::min(period.value_or(*other.period), *other.period);
  continuous = continuous || other.continuous;
  for (const Cron& cron : other.crons) {
    const bool known =
        std::any_of(crons.begin(), crons.end(), [&](const Cron& mine) { return mine.text() == cron.text(); });
    if (!known) crons.push_back(cron);
  }
}

bool Need::has_crons_of(const Need& other) const {
  return std::equal(crons.begin(), crons.end(), other.crons.begin(), other.crons.end(),
                    [](const Cron& a, const Cron& b) { return a.text() == b.text(); });
}

}  // namespace pgtrickle::planner
