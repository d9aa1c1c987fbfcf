#include "report.h"

#include <sys/sysinfo.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>
#include <thread>

namespace pgt::bench {
std::string format_number(double value) {
  char text[32];
  const int decimals = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

namespace {

std::string cpu_model() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown CPU";
}

std::string memory() {
  struct sysinfo info {};
  ::sysinfo(&info);
  return format_number(static_cast<double>(info.totalram) * info.mem_unit / (1024.0 * 1024 * 1024)) + " GiB RAM";
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d", std::gmtime(&now));
  return text;
}

}  // namespace

double Sample::quantile(double q) const {
  auto sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(at));
  const auto above = static_cast<std::size_t>(std::ceil(at));
  return sorted[below] + (sorted[above] - sorted[below]) * (at - std::floor(at));
}

double timed(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

std::string format_ms(const Sample& sample) {
  return sample.empty() ? "-" : format_number(sample.median());
}

std::string format_ratio(const Sample& numerator, const Sample& denominator) {
  if (numerator.empty() || denominator.empty()) return "-";
  return format_number(numerator.median() / denominator.median());
}

Report::Report(const Options& options, test::Session& session) {
  text_ = "# Benchmark results\n\n";
  paragraph("Written by `bench/run.sh" + std::string(options.quick ? " --quick" : "") +
            "`; `bench/README.md` says what is measured and how. All times are milliseconds, medians.");
  std::string list = "- date: " + today() + ", revision " + (options.revision.empty() ? "unknown" : options.revision) +
                     "\n- machine: " + cpu_model() + ", " + std::to_string(std::thread::hardware_concurrency()) +
                     " cores, " + memory() + "\n- server: " + session.value("SELECT version()") + "\n- settings: ";
  for (const auto& row : session.exec("SELECT name, current_setting(name) FROM pg_settings WHERE name IN "
                                      "('shared_buffers', 'fsync', 'wal_level', 'jit', "
                                      "'work_mem', 'max_wal_size', 'checkpoint_timeout', 'synchronous_commit', "
                                      "'max_parallel_workers_per_gather') ORDER BY name")) {
    list += std::string(row[0].c_str()) + " = " + row[1].c_str() + ", ";
  }
  list.resize(list.size() - 2);
  paragraph(list + "; refreshes of every form run with synchronous_commit = off, as in the daemon.");
}

void Report::heading(const std::string& text) {
  text_ += "## " + text + "\n\n";
}

void Report::paragraph(const std::string& text) {
  text_ += text + "\n\n";
}

void Report::table_header(const std::vector<std::string>& columns) {
  if (!text_.ends_with("\n\n")) text_ += '\n';
  table_row(columns);
  text_ += '|';
  for (std::size_t i = 0; i < columns.size(); ++i) text_ += i == 0 ? "---|" : "---:|";
  text_ += '\n';
}

void Report::table_row(const std::vector<std::string>& cells) {
  text_ += '|';
  for (const auto& cell : cells) text_ += " " + cell + " |";
  text_ += '\n';
}

void progress(const std::string& text) {
  std::cerr << text << std::endl;
}

}  // namespace pgt::bench
