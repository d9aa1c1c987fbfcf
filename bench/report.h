// Medians and the Markdown report.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "options.h"
#include "support/database.h"

namespace pgt::bench {

/// Measurements of one thing, in milliseconds.
class Sample {
 public:
  void add(double ms) { values_.push_back(ms); }
  [[nodiscard]] bool empty() const { return values_.empty(); }
  [[nodiscard]] double median() const { return quantile(0.5); }
  [[nodiscard]] double quantile(double q) const;
  [[nodiscard]] std::size_t count() const { return values_.size(); }

 private:
  std::vector<double> values_;
};

/// Runs `work` and returns the milliseconds that it took.
double timed(const std::function<void()>& work);

/// Three significant digits; "-" for an empty sample.
std::string format_number(double value);
std::string format_ms(const Sample& sample);
std::string format_ratio(const Sample& numerator, const Sample& denominator);

class Report {
 public:
  /// Title, machine, server, settings.
  Report(const Options& options, test::Session& session);

  void heading(const std::string& text);
  void paragraph(const std::string& text);
  void table_header(const std::vector<std::string>& columns);
  void table_row(const std::vector<std::string>& cells);
  [[nodiscard]] const std::string& text() const { return text_; }

  /// A part that is written now and appended later.
  [[nodiscard]] static Report section() { return {}; }
  void append(const Report& section) { text_ += section.text_ + "\n"; }

 private:
  Report() = default;

  std::string text_;
};

/// Progress, on standard error.
void progress(const std::string& text);

}  // namespace pgt::bench
