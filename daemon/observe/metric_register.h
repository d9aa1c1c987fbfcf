// The register of metrics: name, type, unit, labels and help of everything under /metrics. Metrics (metrics.h)
// registers nothing that is not here, and docs/METRICS.md is made from it.
#pragma once

#include <span>
#include <string>

namespace pgtrickle::observe {

enum class MetricType { kCounter, kGauge, kHistogram };

struct MetricInfo {
  const char* name;
  MetricType type;
  const char* unit;
  const char* labels;  // comma-separated
  const char* help;
};

std::span<const MetricInfo> metric_register();

/// The entry of `name`; throws std::logic_error if there is none.
const MetricInfo& metric_info(const std::string& name);

/// docs/METRICS.md
std::string metrics_docs();

}  // namespace pgtrickle::observe
