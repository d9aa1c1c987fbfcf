#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <fstream>
#include <set>
#include <sstream>

#include "observe/metric_register.h"
#include "observe/metrics.h"

namespace pgtrickle::observe {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

DatabaseStatus shop(const std::vector<std::string>& names) {
  DatabaseStatus db;
  db.name = "shop";
  db.connected = db.leader = true;
  db.pool_size = 4;
  db.pool_idle = 1;
  db.pool_broken = 1;
  for (const auto& name : names) {
    StreamTableStatus table;
    table.schema = "public";
    table.name = name;
    table.status = TableStatus::kActive;
    table.staleness_seconds = 1.5;
    table.consecutive_errors = 2;
    db.stream_tables.push_back(table);
  }
  db.logs.push_back({"public.orders", 8192});
  return db;
}

std::string page(Metrics& metrics, const std::vector<DatabaseStatus>& status) {
  metrics.update(status);
  return metrics.text();
}

RefreshEvent refresh_of(const std::string& name, const std::string& action) {
  RefreshEvent event;
  event.database = "shop";
  event.schema = "public";
  event.name = name;
  event.action = parse_action(action);
  event.duration = std::chrono::microseconds(3000);
  event.delta_rows = 7;
  event.rows_inserted = 3;
  event.rows_updated = 2;
  event.rows_deleted = 1;
  return event;
}

TEST(Metrics, CountsRefreshesRowsAndDurations) {
  Metrics metrics;
  metrics.on_refresh(refresh_of("st", "DIFFERENTIAL"));
  metrics.on_refresh(refresh_of("st", "DIFFERENTIAL"));
  metrics.on_refresh(refresh_of("st", "NO_DATA"));
  const std::string text = page(metrics, {shop({"st"})});
  const std::string st = R"(database="shop",schema="public",stream_table="st")";
  EXPECT_THAT(text, HasSubstr("pgtrickle_refreshes_total{action=\"DIFFERENTIAL\"," + st + "} 2\n"));
  EXPECT_THAT(text, HasSubstr("pgtrickle_refreshes_total{action=\"NO_DATA\"," + st + "} 1\n"));
  EXPECT_THAT(text, HasSubstr("pgtrickle_refresh_delta_rows_total{" + st + "} 14\n"));
  EXPECT_THAT(text, HasSubstr("pgtrickle_rows_changed_total{change=\"inserted\"," + st + "} 6\n"));
  EXPECT_THAT(text, HasSubstr("pgtrickle_rows_changed_total{change=\"updated\"," + st + "} 4\n"));
  EXPECT_THAT(text, HasSubstr("pgtrickle_rows_changed_total{change=\"deleted\"," + st + "} 2\n"));
  EXPECT_THAT(text, HasSubstr("pgtrickle_refresh_duration_seconds_count{action=\"DIFFERENTIAL\"," + st + "} 2\n"));
  EXPECT_THAT(text, HasSubstr("pgtrickle_refresh_duration_seconds_bucket{action=\"DIFFERENTIAL\"," + st +
                              ",le=\"0.005\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("pgtrickle_refresh_duration_seconds_bucket{action=\"DIFFERENTIAL\"," + st +
                              ",le=\"0.0025\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE pgtrickle_refreshes_total counter\n"));
}

TEST(Metrics, CountsFailuresBySqlstate) {
  Metrics metrics;
  RefreshEvent event = refresh_of("st", "");
  event.error_code = "22012";
  metrics.on_refresh(event);
  const std::string text = page(metrics, {shop({"st"})});
  EXPECT_THAT(
      text,
      HasSubstr(
          R"(pgtrickle_refresh_errors_total{database="shop",schema="public",sqlstate="22012",stream_table="st"} 1)"));
  EXPECT_THAT(text, Not(HasSubstr("pgtrickle_refreshes_total{")));
}

TEST(Metrics, TakesGaugesFromTheStatus) {
  Metrics metrics;
  metrics.on_tick("shop", std::chrono::microseconds(100), 5);
  metrics.on_retry("shop", "40001");
  metrics.on_reconnect("shop");
  metrics.on_build("shop", "public.st", true);
  metrics.on_build("shop", "public.st", false);
  const std::string text = page(metrics, {shop({"st", "u"})});
  for (const char* line : {
           R"(pgtrickle_staleness_seconds{database="shop",schema="public",stream_table="st"} 1.5)",
           R"(pgtrickle_consecutive_errors{database="shop",schema="public",stream_table="u"} 2)",
           R"(pgtrickle_stream_tables{database="shop",status="ACTIVE"} 2)",
           R"(pgtrickle_change_log_bytes{database="shop",source="public.orders"} 8192)",
           R"(pgtrickle_connected{database="shop"} 1)",
           R"(pgtrickle_leader{database="shop"} 1)",
           R"(pgtrickle_pool_size{database="shop"} 4)",
           R"(pgtrickle_pool_idle{database="shop"} 1)",
           R"(pgtrickle_pool_broken{database="shop"} 1)",
           R"(pgtrickle_tick_duration_seconds_count{database="shop"} 1)",
           R"(pgtrickle_due_stream_tables{database="shop"} 5)",
           R"(pgtrickle_retries_total{database="shop",sqlstate="40001"} 1)",
           R"(pgtrickle_reconnects_total{database="shop"} 1)",
           R"(pgtrickle_builds_total{database="shop",result="ok"} 1)",
           R"(pgtrickle_builds_total{database="shop",result="failed"} 1)",
           R"(pgtrickle_build_info{version=")",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(Metrics, ShowsHowSchedulingGoes) {
  Metrics metrics;
  auto db = shop({"st", "u"});
  db.paused = true;
  db.workers_in_use = 2;
  db.workers_max = 4;
  db.waiting_units = 3;
  db.sources_awake = 5;
  db.sources_asleep = 6;
  db.arms_total = 10;
  auto& st = db.stream_tables[0];
  st.max_staleness_seconds = 2.5;
  st.slo_violated = true;
  st.fuse_blown = true;
  st.held = "source public.orders is gated";
  st.backoff_factor = 4;
  st.scc = 7;
  metrics.on_wakeup("shop");
  metrics.on_lag("shop", std::chrono::microseconds(3000));
  metrics.on_scc("shop", 7, 12, true);
  RefreshEvent event = refresh_of("st", "DIFFERENTIAL");
  event.commit_to_visible = std::chrono::microseconds(20000);
  metrics.on_refresh(event);
  EXPECT_THAT(page(metrics, {db}), HasSubstr("pgtrickle_arms_total{database=\"shop\"} 10\n"));
  db.arms_total = 12;
  std::string text = page(metrics, {db});
  for (const char* line : {
           R"(pgtrickle_max_staleness_seconds{database="shop",schema="public",stream_table="st"} 2.5)",
           R"(pgtrickle_slo_violated{database="shop",schema="public",stream_table="st"} 1)",
           R"(pgtrickle_fuse_blown{database="shop",schema="public",stream_table="st"} 1)",
           R"(pgtrickle_fuse_blown{database="shop",schema="public",stream_table="u"} 0)",
           R"(pgtrickle_held{database="shop",schema="public",stream_table="st"} 1)",
           R"(pgtrickle_held{database="shop",schema="public",stream_table="u"} 0)",
           R"(pgtrickle_backoff_factor{database="shop",schema="public",stream_table="st"} 4)",
           R"(pgtrickle_backoff_factor{database="shop",schema="public",stream_table="u"} 1)",
           R"(pgtrickle_paused{database="shop"} 1)",
           R"(pgtrickle_workers_in_use{database="shop"} 2)",
           R"(pgtrickle_workers_max{database="shop"} 4)",
           R"(pgtrickle_units_waiting{database="shop"} 3)",
           R"(pgtrickle_sources_awake{database="shop"} 5)",
           R"(pgtrickle_sources_asleep{database="shop"} 6)",
           R"(pgtrickle_arms_total{database="shop"} 12)",
           R"(pgtrickle_wakeups_total{database="shop"} 1)",
           R"(pgtrickle_scheduler_lag_seconds_bucket{database="shop",le="0.005"} 1)",
           R"(pgtrickle_scheduler_lag_seconds_bucket{database="shop",le="0.0025"} 0)",
           R"(pgtrickle_scc_iterations{database="shop",scc="7"} 12)",
           R"(pgtrickle_commit_to_visible_seconds_count{database="shop",schema="public",stream_table="st"} 1)",
       }) {
    EXPECT_THAT(text, HasSubstr(std::string(line) + "\n"));
  }
  EXPECT_THAT(text, Not(HasSubstr(R"(pgtrickle_slo_violated{database="shop",schema="public",stream_table="u"})")))
      << "it promises nothing";
  st.scc.reset();
  EXPECT_THAT(page(metrics, {db}), Not(HasSubstr("pgtrickle_scc_iterations{"))) << "the cycle is gone";
}

TEST(Metrics, AnEntryThatDiscoversHasAConnectionAndNothingElse) {
  Metrics metrics;
  DatabaseStatus discovery;
  discovery.name = "(discovery)";
  discovery.connected = discovery.discovery = true;
  const std::string text = page(metrics, {discovery});
  EXPECT_THAT(text, HasSubstr("pgtrickle_connected{database=\"(discovery)\"} 1"));
  EXPECT_THAT(text, Not(HasSubstr("pgtrickle_leader{")));
}

TEST(Metrics, AlertsAreCountedAndLogged) {
  std::ostringstream log;
  const auto previous = spdlog::default_logger();
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::ostream_sink_st>(log)));
  Metrics metrics;
  for (const AlertKind kind : {AlertKind::kSuspended, AlertKind::kStale, AlertKind::kStale, AlertKind::kRecovered}) {
    metrics.on_alert({.kind = kind, .database = "shop", .object = "public.st", .message = "100 % {}"});
  }
  spdlog::set_default_logger(previous);
  EXPECT_THAT(log.str(), HasSubstr("[error] alert kind=suspended"));
  EXPECT_THAT(log.str(), HasSubstr("[warning] alert kind=stale"));
  EXPECT_THAT(log.str(), HasSubstr("[info] alert kind=recovered"));
  EXPECT_THAT(log.str(), HasSubstr("message=\"100 % {}\""));
  const std::string text = page(metrics, {shop({"st"})});
  EXPECT_THAT(text, HasSubstr("pgtrickle_alerts_total{database=\"shop\",kind=\"stale\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("pgtrickle_alerts_total{database=\"shop\",kind=\"suspended\"} 1\n"));
  EXPECT_THAT(page(metrics, {}), Not(HasSubstr("pgtrickle_alerts_total{")));
}

TEST(Metrics, SeriesOfDroppedStreamTablesDisappear) {
  Metrics metrics;
  metrics.on_refresh(refresh_of("gone", "FULL"));
  RefreshEvent failed = refresh_of("gone", "");
  failed.error_code = "22012";
  metrics.on_refresh(failed);
  metrics.on_refresh(refresh_of("stays", "FULL"));
  EXPECT_THAT(page(metrics, {shop({"gone", "stays"})}), HasSubstr("\"gone\""));
  const std::string text = page(metrics, {shop({"stays"})});
  EXPECT_THAT(text, Not(HasSubstr("\"gone\"")));
  EXPECT_THAT(text, HasSubstr("\"stays\""));
}

TEST(Metrics, ALostConnectionDropsNothing) {
  Metrics metrics;
  metrics.on_refresh(refresh_of("st", "FULL"));
  DatabaseStatus lost;
  lost.name = "shop";
  EXPECT_THAT(page(metrics, {lost}), HasSubstr("pgtrickle_refreshes_total{action=\"FULL\""));
  EXPECT_THAT(page(metrics, {shop({"st"})}), HasSubstr("pgtrickle_refreshes_total{action=\"FULL\""));
}

TEST(Metrics, SeriesOfRemovedDatabasesDisappear) {
  Metrics metrics;
  metrics.on_tick("shop", std::chrono::microseconds(1), 0);
  metrics.on_retry("shop", "40001");
  metrics.on_refresh(refresh_of("st", "FULL"));
  EXPECT_THAT(page(metrics, {shop({"st"})}), HasSubstr("\"shop\""));
  EXPECT_THAT(page(metrics, {}), Not(HasSubstr("\"shop\"")));
}

TEST(Metrics, LabelValuesAreEscaped) {
  Metrics metrics;
  metrics.on_refresh(refresh_of("a\"b\\c\nd", "FULL"));
  EXPECT_THAT(page(metrics, {shop({"a\"b\\c\nd"})}), HasSubstr(R"(stream_table="a\"b\\c\nd")"));
}

TEST(Metrics, EverythingInTheRegisterIsExported) {
  Metrics metrics;
  metrics.on_refresh(refresh_of("st", "FULL"));
  RefreshEvent failed = refresh_of("st", "");
  metrics.on_refresh(failed);
  metrics.on_retry("shop", "40001");
  metrics.on_reconnect("shop");
  metrics.on_build("shop", "st", true);
  metrics.on_tick("shop", std::chrono::microseconds(1), 1);
  RefreshEvent timed = refresh_of("st", "FULL");
  timed.commit_to_visible = std::chrono::microseconds(1);
  metrics.on_refresh(timed);
  metrics.on_wakeup("shop");
  metrics.on_lag("shop", std::chrono::microseconds(1));
  metrics.on_scc("shop", 4, 2, true);
  const auto previous = spdlog::get_level();
  spdlog::set_level(spdlog::level::off);
  metrics.on_alert({.kind = AlertKind::kStale, .database = "shop", .object = "public.st", .message = "late"});
  spdlog::set_level(previous);
  auto status = shop({"st"});
  status.arms_total = 1;
  status.stream_tables[0].max_staleness_seconds = 5;
  status.stream_tables[0].scc = 4;
  const std::string text = page(metrics, {status});
  std::set<std::string> names;
  for (const auto& metric : metric_register()) {
    EXPECT_THAT(text, HasSubstr(std::string("# HELP ") + metric.name + " " + metric.help));
    EXPECT_THAT(text, HasSubstr(std::string("\n") + metric.name));
    EXPECT_TRUE(names.insert(metric.name).second) << metric.name << " twice";
  }
  EXPECT_THROW(metric_info("pgtrickle_nonsense"), std::logic_error);
}

TEST(Metrics, DocumentationIsCurrent) {
  std::ifstream in(PGT_SOURCE_DIR "/docs/METRICS.md");
  std::ostringstream text;
  text << in.rdbuf();
  EXPECT_EQ(text.str(), metrics_docs()) << "run: pgtrickled --print-metrics-docs > docs/METRICS.md";
}

}  // namespace
}  // namespace pgtrickle::observe
