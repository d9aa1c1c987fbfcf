#include "observe/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "observe/log.h"
#include "observe/metric_register.h"

namespace pgtrickle::observe {
namespace {

using prometheus::Labels;

const prometheus::Histogram::BucketBoundaries& duration_buckets() {
  static const prometheus::Histogram::BucketBoundaries kSeconds{
      0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};
  return kSeconds;
}

double seconds(std::chrono::microseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

// All series of one metric: created when first used, removed when what they describe is gone.
template <class T>
class Series {
 public:
  Series(prometheus::Registry& registry, const std::string& name) : family_(build(registry, metric_info(name))) {}

  T& at(const Labels& labels) {
    auto [entry, fresh] = series_.try_emplace(labels, nullptr);
    if (fresh) entry->second = &add(labels);
    return *entry->second;
  }

  void remove_if(const std::function<bool(const Labels&)>& gone) {
    std::erase_if(series_, [&](const auto& entry) {
      if (!gone(entry.first)) return false;
      family_.Remove(entry.second);
      return true;
    });
  }

 private:
  static prometheus::Family<T>& build(prometheus::Registry& registry, const MetricInfo& info) {
    if constexpr (std::is_same_v<T, prometheus::Counter>) {
      return prometheus::BuildCounter().Name(info.name).Help(info.help).Register(registry);
    } else if constexpr (std::is_same_v<T, prometheus::Gauge>) {
      return prometheus::BuildGauge().Name(info.name).Help(info.help).Register(registry);
    } else {
      return prometheus::BuildHistogram().Name(info.name).Help(info.help).Register(registry);
    }
  }

  T& add(const Labels& labels) {
    if constexpr (std::is_same_v<T, prometheus::Histogram>) {
      return family_.Add(labels, duration_buckets());
    } else {
      return family_.Add(labels);
    }
  }

  prometheus::Family<T>& family_;
  std::map<Labels, T*> series_;
};

// Gauges that are taken from the status: after finish() exactly those exist that were set since the last one.
class StatusGauges {
 public:
  StatusGauges(prometheus::Registry& registry, const std::string& name)
      : family_(prometheus::BuildGauge().Name(name).Help(metric_info(name).help).Register(registry)) {}

  void set(const Labels& labels, double value) {
    auto [entry, fresh] = series_.try_emplace(labels);
    if (fresh) entry->second.gauge = &family_.Add(labels);
    entry->second.gauge->Set(value);
    entry->second.round = round_;
  }

  void finish() {
    std::erase_if(series_, [this](const auto& entry) {
      if (entry.second.round == round_) return false;
      family_.Remove(entry.second.gauge);
      return true;
    });
    ++round_;
  }

 private:
  struct Entry {
    prometheus::Gauge* gauge = nullptr;
    std::uint64_t round = 0;
  };
  prometheus::Family<prometheus::Gauge>& family_;
  std::map<Labels, Entry> series_;
  std::uint64_t round_ = 1;
};

Labels table_labels(const std::string& database, const std::string& schema, const std::string& name) {
  return {{"database", database}, {"schema", schema}, {"stream_table", name}};
}

Labels scc_labels(const std::string& database, std::int64_t scc) {
  return {{"database", database}, {"scc", std::to_string(scc)}};
}

// A counter that somebody else counts, and may begin again at 0.
void raise_to(prometheus::Counter& counter, double value) {
  if (value > counter.Value()) counter.Increment(value - counter.Value());
}

Labels with(Labels labels, const std::string& name, const std::string& value) {
  labels.emplace(name, value);
  return labels;
}

}  // namespace

struct Metrics::Impl {
  prometheus::Registry registry;
  Series<prometheus::Counter> refreshes{registry, "pgtrickle_refreshes_total"};
  Series<prometheus::Counter> errors{registry, "pgtrickle_refresh_errors_total"};
  Series<prometheus::Histogram> duration{registry, "pgtrickle_refresh_duration_seconds"};
  Series<prometheus::Counter> delta_rows{registry, "pgtrickle_refresh_delta_rows_total"};
  Series<prometheus::Counter> rows{registry, "pgtrickle_rows_changed_total"};
  Series<prometheus::Counter> builds{registry, "pgtrickle_builds_total"};
  Series<prometheus::Counter> retries{registry, "pgtrickle_retries_total"};
  Series<prometheus::Counter> reconnects{registry, "pgtrickle_reconnects_total"};
  Series<prometheus::Histogram> ticks{registry, "pgtrickle_tick_duration_seconds"};
  Series<prometheus::Gauge> due{registry, "pgtrickle_due_stream_tables"};
  Series<prometheus::Histogram> commit_to_visible{registry, "pgtrickle_commit_to_visible_seconds"};
  Series<prometheus::Histogram> lag{registry, "pgtrickle_scheduler_lag_seconds"};
  Series<prometheus::Counter> arms{registry, "pgtrickle_arms_total"};
  Series<prometheus::Counter> wakeups{registry, "pgtrickle_wakeups_total"};
  Series<prometheus::Counter> alerts{registry, "pgtrickle_alerts_total"};
  Series<prometheus::Gauge> scc_iterations{registry, "pgtrickle_scc_iterations"};
  Series<prometheus::Gauge> build_info{registry, "pgtrickle_build_info"};

  StatusGauges staleness{registry, "pgtrickle_staleness_seconds"};
  StatusGauges last_refresh{registry, "pgtrickle_last_refresh_timestamp_seconds"};
  StatusGauges consecutive_errors{registry, "pgtrickle_consecutive_errors"};
  StatusGauges stream_tables{registry, "pgtrickle_stream_tables"};
  StatusGauges log_bytes{registry, "pgtrickle_change_log_bytes"};
  StatusGauges connected{registry, "pgtrickle_connected"};
  StatusGauges leader{registry, "pgtrickle_leader"};
  StatusGauges leader_silent{registry, "pgtrickle_leader_silent"};
  StatusGauges pool_size{registry, "pgtrickle_pool_size"};
  StatusGauges pool_idle{registry, "pgtrickle_pool_idle"};
  StatusGauges pool_broken{registry, "pgtrickle_pool_broken"};
  StatusGauges max_staleness{registry, "pgtrickle_max_staleness_seconds"};
  StatusGauges slo_violated{registry, "pgtrickle_slo_violated"};
  StatusGauges fuse_blown{registry, "pgtrickle_fuse_blown"};
  StatusGauges held{registry, "pgtrickle_held"};
  StatusGauges backoff_factor{registry, "pgtrickle_backoff_factor"};
  StatusGauges paused{registry, "pgtrickle_paused"};
  StatusGauges workers_in_use{registry, "pgtrickle_workers_in_use"};
  StatusGauges workers_max{registry, "pgtrickle_workers_max"};
  StatusGauges units_waiting{registry, "pgtrickle_units_waiting"};
  StatusGauges sources_awake{registry, "pgtrickle_sources_awake"};
  StatusGauges sources_asleep{registry, "pgtrickle_sources_asleep"};

  void set_gauges(const std::vector<DatabaseStatus>& status) {
    for (const auto& db : status) {
      const Labels database{{"database", db.name}};
      connected.set(database, db.connected ? 1 : 0);
      if (db.discovery) continue;
      leader.set(database, db.leader ? 1 : 0);
      leader_silent.set(database, db.leader_silent ? 1 : 0);
      pool_size.set(database, db.pool_size);
      pool_idle.set(database, db.pool_idle);
      pool_broken.set(database, db.pool_broken);
      paused.set(database, db.paused ? 1 : 0);
      workers_in_use.set(database, db.workers_in_use);
      workers_max.set(database, db.workers_max);
      units_waiting.set(database, db.waiting_units);
      sources_awake.set(database, db.sources_awake);
      sources_asleep.set(database, db.sources_asleep);
      raise_to(arms.at(database), static_cast<double>(db.arms_total));
      std::map<std::string, int> by_status;
      for (const auto& table : db.stream_tables) {
        const Labels labels = table_labels(db.name, table.schema, table.name);
        staleness.set(labels, table.staleness_seconds);
        last_refresh.set(labels, table.last_refresh_epoch);
        consecutive_errors.set(labels, table.consecutive_errors);
        fuse_blown.set(labels, table.fuse_blown ? 1 : 0);
        held.set(labels, table.held.empty() ? 0 : 1);
        backoff_factor.set(labels, table.backoff_factor);
        if (table.max_staleness_seconds) {
          max_staleness.set(labels, *table.max_staleness_seconds);
          slo_violated.set(labels, table.slo_violated ? 1 : 0);
        }
        ++by_status[to_string(table.status)];
      }
      for (const auto& [name, count] : by_status) stream_tables.set(with(database, "status", name), count);
      for (const auto& log : db.logs)
        log_bytes.set(with(database, "source", log.source), static_cast<double>(log.bytes));
    }
    for (auto* gauges :
         {&staleness,     &last_refresh,  &consecutive_errors, &stream_tables, &log_bytes,      &connected,
          &leader,        &pool_size,     &pool_idle,          &pool_broken,   &max_staleness,  &slo_violated,
          &fuse_blown,    &held,          &backoff_factor,     &paused,        &workers_in_use, &workers_max,
          &units_waiting, &sources_awake, &sources_asleep,     &leader_silent}) {
      gauges->finish();
    }
  }

  void forget_what_is_gone(const std::vector<DatabaseStatus>& status) {
    std::set<std::string> databases, unknown_tables;
    std::set<Labels> tables;
    std::set<Labels> cycles;
    for (const auto& db : status) {
      databases.insert(db.name);
      // A lost connection says nothing about what was dropped; a standby does not know what the leader has.
      if (!db.connected || !db.leader) unknown_tables.insert(db.name);
      for (const auto& table : db.stream_tables) {
        tables.insert(table_labels(db.name, table.schema, table.name));
        if (table.scc) cycles.insert(scc_labels(db.name, *table.scc));
      }
    }
    const auto table_gone = [&](const Labels& labels) {
      const std::string& database = labels.at("database");
      if (unknown_tables.contains(database)) return false;
      return !tables.contains(table_labels(database, labels.at("schema"), labels.at("stream_table")));
    };
    for (auto* counters : {&refreshes, &errors, &delta_rows, &rows}) counters->remove_if(table_gone);
    duration.remove_if(table_gone);
    commit_to_visible.remove_if(table_gone);
    scc_iterations.remove_if([&](const Labels& labels) {
      return !unknown_tables.contains(labels.at("database")) && !cycles.contains(labels);
    });

    const auto database_gone = [&](const Labels& labels) { return !databases.contains(labels.at("database")); };
    for (auto* counters : {&builds, &retries, &reconnects, &arms, &wakeups, &alerts}) {
      counters->remove_if(database_gone);
    }
    for (auto* histograms : {&ticks, &lag}) histograms->remove_if(database_gone);
    due.remove_if(database_gone);
  }
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {
  impl_->build_info.at({{"version", PGTRICKLE_VERSION}}).Set(1);
}

Metrics::~Metrics() = default;

void Metrics::on_refresh(const RefreshEvent& event) {
  const Labels labels = table_labels(event.database, event.schema, event.name);
  if (!event.action) {
    impl_->errors.at(with(labels, "sqlstate", event.error_code)).Increment();
    return;
  }
  const Labels by_action = with(labels, "action", to_string(*event.action));
  impl_->refreshes.at(by_action).Increment();
  if (!applies(*event.action)) return;
  impl_->duration.at(by_action).Observe(seconds(event.duration));
  if (event.commit_to_visible) impl_->commit_to_visible.at(labels).Observe(seconds(*event.commit_to_visible));
  impl_->delta_rows.at(labels).Increment(static_cast<double>(event.delta_rows));
  impl_->rows.at(with(labels, "change", "inserted")).Increment(static_cast<double>(event.rows_inserted));
  impl_->rows.at(with(labels, "change", "updated")).Increment(static_cast<double>(event.rows_updated));
  impl_->rows.at(with(labels, "change", "deleted")).Increment(static_cast<double>(event.rows_deleted));
}

void Metrics::on_retry(const std::string& database, const std::string& sqlstate) {
  impl_->retries.at({{"database", database}, {"sqlstate", sqlstate}}).Increment();
}

void Metrics::on_reconnect(const std::string& database) {
  impl_->reconnects.at({{"database", database}}).Increment();
}

void Metrics::on_build(const std::string& database, const std::string&, bool ok) {
  impl_->builds.at({{"database", database}, {"result", ok ? "ok" : "failed"}}).Increment();
}

void Metrics::on_tick(const std::string& database, std::chrono::microseconds duration, int due) {
  impl_->ticks.at({{"database", database}}).Observe(seconds(duration));
  impl_->due.at({{"database", database}}).Set(due);
}

void Metrics::on_alert(const Alert& alert) {
  impl_->alerts.at({{"database", alert.database}, {"kind", alert_info(alert.kind).name}}).Increment();
  const bool is_news = alert.severity() == AlertSeverity::kInfo;
  const bool is_bad = alert.severity() == AlertSeverity::kError;
  log::write("alert",
             is_news  ? spdlog::level::info
             : is_bad ? spdlog::level::err
                      : spdlog::level::warn,
             "{}", log::raw(alert_line(alert)));
}

void Metrics::on_wakeup(const std::string& database) {
  impl_->wakeups.at({{"database", database}}).Increment();
}

void Metrics::on_lag(const std::string& database, std::chrono::microseconds lag) {
  impl_->lag.at({{"database", database}}).Observe(seconds(lag));
}

void Metrics::on_scc(const std::string& database, TableId scc, int iterations, bool) {
  impl_->scc_iterations.at(scc_labels(database, scc)).Set(iterations);
}

void Metrics::update(const std::vector<DatabaseStatus>& status) {
  impl_->set_gauges(status);
  impl_->forget_what_is_gone(status);
}

// The registry and its families lock what they collect.
std::string Metrics::text() const {
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace pgtrickle::observe
