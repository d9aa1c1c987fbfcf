#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "config/load.h"
#include "config/units.h"

namespace pgtrickle::config {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::vector<std::string> problems_of(const std::string& text, const Overrides& overrides = {}) {
  return load_text(text, "f.yaml", overrides).problems;
}

TEST(ConfigUnits, ReadsDurations) {
  EXPECT_EQ(parse_duration("250ms"), milliseconds(250));
  EXPECT_EQ(parse_duration(" 250 ms "), milliseconds(250));
  EXPECT_EQ(parse_duration("1h30m"), milliseconds(5400000));
  EXPECT_EQ(parse_duration("2 min 1s"), milliseconds(121000));
  EXPECT_EQ(parse_duration("1w"), milliseconds(604800000));
  EXPECT_EQ(parse_duration("0"), milliseconds(0));
  for (const char* bad : {"", "5", "ms", "1x", "-1s", "1s2", "1.5s", "99999999999999999999s", "9223372036854775807d"}) {
    EXPECT_EQ(parse_duration(bad), std::nullopt) << bad;
  }
}

TEST(ConfigUnits, DurationsSurviveARoundTrip) {
  for (const long long count : {0LL, 1LL, 999LL, 1000LL, 5400000LL, 90061001LL, 604800000LL}) {
    EXPECT_EQ(parse_duration(format_duration(milliseconds(count))), milliseconds(count)) << count;
  }
  EXPECT_EQ(format_duration(milliseconds(5400000)), "1h30m");
}

TEST(ConfigUnits, ReadsSizes) {
  EXPECT_EQ(parse_size("256kB"), 262144);
  EXPECT_EQ(parse_size("16 MB"), 16777216);
  EXPECT_EQ(parse_size("100"), 100);
  for (const char* bad : {"", "kB", "1k", "1 kB x", "-1", "99999999999GB"})
    EXPECT_EQ(parse_size(bad), std::nullopt) << bad;
  for (const long long bytes : {0LL, 1LL, 1024LL, 1025LL, 1LL << 30}) EXPECT_EQ(parse_size(format_size(bytes)), bytes);
}

TEST(ConfigLoad, ReadsEveryKindOfValue) {
  const auto result = load_text(R"(
databases:
  - dsn: host=a dbname=shop
    pool_size: 8
    workers: 3
  - name: other
    dsn: postgresql://u@b/stock
  - {dsn: host=c dbname=postgres, discover: true}
scheduler:
  tier_warm: 3
  auto_backoff: off
  log_alert_bytes: 0
  watermark_stuck_after: 0
  max_workers: 12
  owner_max_places: 3
  default_schedule: 1h30m
  history_retention: 2d
  log_switch_bytes: 1MB
  max_consecutive_errors: 5
http: {address: 0.0.0.0, port: 0}
compiler: {max_nesting: 1000, max_nodes: 7}
log:
  format: json
  levels:
    refresh: debug
    discovery: warn
shutdown_timeout: 10s
)",
                                "f.yaml", {});
  ASSERT_THAT(result.problems, ElementsAre());
  const Config& c = result.config;
  ASSERT_EQ(c.databases.size(), 3U);
  EXPECT_EQ(c.databases[0].name, "shop");
  EXPECT_EQ(c.databases[0].pool_size, 8);
  EXPECT_EQ(c.databases[0].workers, 3);
  EXPECT_FALSE(c.databases[0].discover);
  EXPECT_EQ(c.databases[1].name, "other");
  EXPECT_TRUE(c.databases[2].discover);
  EXPECT_EQ(c.databases[2].name, "") << "names of discovered databases have no prefix";
  EXPECT_EQ(c.scheduler.tier_warm, 3);
  EXPECT_FALSE(c.scheduler.auto_backoff);
  EXPECT_EQ(c.scheduler.log_alert_bytes, 0);
  EXPECT_EQ(c.scheduler.watermark_stuck_after, milliseconds(0));
  EXPECT_EQ(c.scheduler.max_workers, 12);
  EXPECT_EQ(c.scheduler.owner_max_places, 3);
  EXPECT_EQ(c.scheduler.default_schedule, milliseconds(5400000));
  EXPECT_EQ(c.scheduler.history_retention, std::chrono::hours(48));
  EXPECT_EQ(c.scheduler.log_switch_bytes, 1048576);
  EXPECT_EQ(c.scheduler.max_consecutive_errors, 5);
  EXPECT_EQ(c.http.port, 0);
  EXPECT_EQ(c.http.address, "0.0.0.0");
  EXPECT_EQ(c.log.format, "json");
  EXPECT_THAT(c.log.levels, ElementsAre(std::pair("discovery", "warn"), std::pair("refresh", "debug")));
  EXPECT_EQ(c.compiler.max_nesting, 1000);
  EXPECT_EQ(c.compiler.max_nodes, 7);
  EXPECT_EQ(c.compiler.max_grouping_branches, 64);
  EXPECT_EQ(c.shutdown_timeout, milliseconds(10000));
  EXPECT_EQ(c.scheduler.lock_timeout, Scheduler{}.lock_timeout) << "what is not given keeps its default";
}

TEST(ConfigLoad, UnknownKeyNamesFileLineAndTheLikelyKey) {
  EXPECT_THAT(problems_of("log:\n  level: info\nscheduler:\n  default_shedule: 1s\n"),
              ElementsAre("f.yaml:4: scheduler.default_shedule: unknown key; did you mean 'default_schedule'?"));
  EXPECT_THAT(problems_of("zzz: 1\n"), ElementsAre(AllOf(StartsWith("f.yaml:1: zzz: unknown key; known here: "),
                                                         HasSubstr("databases"), HasSubstr("scheduler"))));
  EXPECT_THAT(problems_of("databases:\n  - dns: host=a\n"),
              ElementsAre("f.yaml:2: databases[0].dns: unknown key; did you mean 'dsn'?"));
}

TEST(ConfigLoad, DuplicateKey) {
  EXPECT_THAT(problems_of("log:\n  level: info\n  level: debug\n"),
              ElementsAre("f.yaml:3: log.level: duplicate key; first given in line 2, remove one"));
  EXPECT_THAT(problems_of("log: {level: info}\nlog: {format: json}\n"),
              ElementsAre("f.yaml:2: log: duplicate key; first given in line 1, remove one"));
}

TEST(ConfigLoad, WrongTypesAndValues) {
  EXPECT_THAT(problems_of("http:\n  port: [1]\n"),
              ElementsAre("f.yaml:2: http.port: expected integer, got a list; allowed: 0 to 65535"));
  EXPECT_THAT(
      problems_of("http:\n  port: many\n"),
      ElementsAre("f.yaml:2: http.port: expected an integer from 0 to 65535, got 'many'; the default is '9188'"));
  EXPECT_THAT(problems_of("http:\n  port: 65536\n"), ElementsAre(HasSubstr("got '65536'")));
  EXPECT_THAT(problems_of("http:\n  port:\n"),
              ElementsAre(HasSubstr("f.yaml:2: http.port: expected integer, got nothing")));
  EXPECT_THAT(problems_of("http:\n  address: localhost\n"), ElementsAre(HasSubstr("expected an IP address")));
  EXPECT_THAT(problems_of("scheduler:\n  lock_timeout: 5\n"), ElementsAre(HasSubstr("expected a duration such as")));
  EXPECT_THAT(problems_of("scheduler:\n  lock_timeout: 5d\n"),
              ElementsAre(HasSubstr("expected 10ms to 10m, got '5d'")));
  EXPECT_THAT(problems_of("scheduler:\n  history_retention: 90m\n"), ElementsAre(HasSubstr("whole hours")));
  EXPECT_THAT(problems_of("log:\n  level: loud\n"), ElementsAre(HasSubstr("expected one of trace, debug,")));
  EXPECT_THAT(problems_of("log:\n  levels: {refreshes: debug}\n"),
              ElementsAre(StartsWith("f.yaml:2: log.levels: expected a topic, one of alert, build,")));
  EXPECT_THAT(problems_of("log:\n  levels: {refresh: loud}\n"),
              ElementsAre(HasSubstr("got 'loud'; the default is '{}'")));
  EXPECT_THAT(problems_of("log:\n  levels: {refresh: debug, refresh: info}\n"), ElementsAre(HasSubstr("named twice")));
  EXPECT_THAT(problems_of("log:\n  levels: debug\n"), ElementsAre(HasSubstr("expected topics with levels")));
  EXPECT_THAT(problems_of("log:\n  levels: [refresh]\n"), ElementsAre(HasSubstr("got a list")));
  EXPECT_THAT(problems_of("log:\n  level: {refresh: debug}\n"), ElementsAre(HasSubstr("got keys with values")));
  EXPECT_THAT(problems_of("compiler: {max_nesting: 1001}\n"), ElementsAre(HasSubstr("16 to 1000")));
  EXPECT_THAT(problems_of("scheduler: 5\n"), ElementsAre(HasSubstr("f.yaml:1: scheduler: expected keys with values")));
  EXPECT_THAT(problems_of("databases: shop\n"), ElementsAre(HasSubstr("f.yaml:1: databases: expected a list")));
  EXPECT_THAT(problems_of("- a\n"), ElementsAre(HasSubstr("expected keys with values, got a list")));
  EXPECT_THAT(problems_of("scheduler: {retry_backoff_min: 5s, retry_backoff_max: 1s}\n"),
              ElementsAre(HasSubstr("smaller than retry_backoff_min (1s < 5s)")));
  EXPECT_THAT(problems_of("scheduler: {auto_backoff: maybe}\n"),
              ElementsAre(HasSubstr("expected on or off, got 'maybe'; the default is 'on'")));
  EXPECT_THAT(problems_of("scheduler: {log_alert_bytes: 1kB}\n"),
              ElementsAre(HasSubstr("expected 0 (never) or 1MB to 1024GB, got '1kB'")));
  EXPECT_THAT(problems_of("scheduler: {log_switch_bytes: 0}\n"), ElementsAre(HasSubstr("expected 8kB to 1024GB")));
  EXPECT_THAT(problems_of("databases: [{dsn: dbname=d, workers: 5}]\n"),
              ElementsAre(HasSubstr("workers: larger than pool_size (5 > 4)")));
}

TEST(ConfigLoad, ReportsAllProblemsAtOnce) {
  EXPECT_EQ(problems_of("a: 1\nb: 2\nhttp: {port: x}\n").size(), 3U);
}

TEST(ConfigLoad, BrokenYamlHasALine) {
  EXPECT_THAT(problems_of("log: {level: info\nhttp: 1\n"),
              ElementsAre(AllOf(StartsWith("f.yaml:"), HasSubstr("not valid YAML"))));
  EXPECT_THAT(problems_of("log:\n\tlevel: info\n"), ElementsAre(StartsWith("f.yaml:2: not valid YAML")));
}

TEST(ConfigLoad, MissingFile) {
  EXPECT_THAT(load("/nonexistent/x.yaml", {}).problems,
              ElementsAre("/nonexistent/x.yaml: cannot be read: No such file or directory"));
}

TEST(ConfigLoad, AnUnclosedQuoteIsShownWhereItIsOpened) {
  for (const std::string text : {"log:\n  level: info\ndatabases:\n  - dsn: \"host=x\n    name: y\n",
                                 "log:\n  level: info\ndatabases:\n  - dsn: \"host=x\n    name: \"y\"\n",
                                 "# it's\nlog: {level: \"info\"}  # isn't\n\n  - dsn: 'host=''x''\n    name: 'y'\n"}) {
    const auto result = load_text(text, "f.yaml", {});
    ASSERT_EQ(result.problems.size(), 1U) << text;
    EXPECT_THAT(result.problems[0], ::testing::StartsWith("f.yaml:4: not valid YAML: the quote (")) << text;
  }
  EXPECT_THAT(load_text("a: \"x\n", "f.yaml", {}).problems.at(0),
              HasSubstr("f.yaml:1: not valid YAML: the quote (\") that is opened in this line is never closed"));
  EXPECT_TRUE(load_text("databases:\n  - dsn: \"host=x\n      dbname=y\"\n", "f.yaml", {}).ok())
      << "it may take two lines";
  EXPECT_THAT(problems_of("databases:\n  - name: rock 'n roll  # it's \"\n    dsn: password='x\n"),
              ElementsAre(HasSubstr("not a valid connection string")));
}

TEST(ConfigLoad, ADirectoryAndAnEmptyFileAreNoConfiguration) {
  EXPECT_THAT(load("/tmp", {}).problems.at(0), ::testing::StartsWith("/tmp: it is a directory"));
  EXPECT_THAT(load("/dev/null", {}).problems.at(0), ::testing::StartsWith("/dev/null:1: the file is empty"));
  Overrides flags;
  flags.dsns = {"dbname=x"};
  EXPECT_TRUE(load("/dev/null", flags).ok());
}

TEST(ConfigLoad, EmptyFileAndEmptySectionsMeanDefaults) {
  EXPECT_THAT(problems_of(""), ElementsAre());
  EXPECT_THAT(problems_of("# nothing\nlog:\nscheduler:\n"), ElementsAre());
  EXPECT_EQ(load_text("", "f.yaml", {}).config.databases.size(), 1U) << "libpq's environment";
}

TEST(ConfigLoad, FlagsWin) {
  Overrides flags;
  flags.dsns = {"dbname=one", "postgresql://host/two"};
  flags.http_port = "1234";
  flags.log_level = "debug";
  flags.log_levels = "build: warn, refresh: trace";
  const auto result = load_text("databases: [{dsn: dbname=three}]\nhttp: {port: 1}\n", "f.yaml", flags);
  ASSERT_THAT(result.problems, ElementsAre());
  ASSERT_EQ(result.config.databases.size(), 2U);
  EXPECT_EQ(result.config.databases[0].name, "one");
  EXPECT_EQ(result.config.databases[1].name, "two");
  EXPECT_EQ(result.config.http.port, 1234);
  EXPECT_EQ(result.config.log.level, "debug");
  EXPECT_THAT(result.config.log.levels, ElementsAre(std::pair("build", "warn"), std::pair("refresh", "trace")));

  flags.http_port = "no";
  EXPECT_THAT(problems_of("", flags), ElementsAre("--http-port: expected an integer from 0 to 65535, got 'no'"));
}

TEST(ConfigLoad, DatabaseNamesAreUnique) {
  EXPECT_THAT(
      problems_of("databases:\n  - dsn: host=a dbname=d\n  - dsn: host=b dbname=d\n"),
      ElementsAre(
          "f.yaml:3: name: a second database named 'd'; the first is at f.yaml:2; give each a 'name' of its own"));
}

TEST(ConfigLoad, OnlyOneEntryToBeDiscoveredMayBeWithoutAName) {
  const std::string one = "databases:\n  - {dsn: host=a, discover: on}\n";
  EXPECT_THAT(problems_of(one), ElementsAre());
  EXPECT_THAT(problems_of(one + "  - {dsn: host=b, discover: on, name: east}\n"), ElementsAre());
  EXPECT_THAT(
      problems_of(one + "  - {dsn: host=b, discover: on}\n"),
      ElementsAre(HasSubstr("a second entry without a name that is to be discovered; the first is at f.yaml:2")));
}

TEST(ConfigLoad, QuotedDatabaseNameInADsn) {
  const auto result = load_text("", "",
                                {.dsns = {R"(password='dbname=\'x\'' dbname='it\'s')"},
                                 .worker_dsn = {},
                                 .http_port = {},
                                 .log_level = {},
                                 .log_format = {}});
  ASSERT_THAT(result.problems, ElementsAre());
  EXPECT_EQ(result.config.databases[0].name, "it's");
}

TEST(ConfigLoad, WorkerSessionsHaveALoginOfTheirOwn) {
  const auto file = load_text("databases:\n  - {dsn: host=a dbname=b, worker_dsn: user=w}\n", "f.yaml", {});
  ASSERT_THAT(file.problems, ElementsAre());
  EXPECT_EQ(file.config.databases[0].worker_dsn, "user=w");
  Overrides line;
  line.dsns = {"host=a"};
  line.worker_dsn = "user=w";
  EXPECT_EQ(load_text("", "", line).config.databases[0].worker_dsn, "user=w");
  line.worker_dsn = "user w";
  EXPECT_THAT(load_text("", "", line).problems, ElementsAre(HasSubstr("worker_dsn: not a valid connection string")));
  line.dsns = {};
  EXPECT_THAT(load_text("", "", line).problems, Contains(HasSubstr("--worker-dsn: is for databases that --dsn names")));
}

TEST(ConfigLoad, AMessageNeverShowsAConnectionString) {
  for (const char* dsn : {"hunter2", "host=a password=hunter2 nonsense=hunter2", "postgresql://u:hunter2@[h/d"}) {
    const auto problems =
        load_text("", "", {.dsns = {dsn}, .worker_dsn = {}, .http_port = {}, .log_level = {}, .log_format = {}})
            .problems;
    ASSERT_THAT(problems, ElementsAre(HasSubstr("not a valid connection string"))) << dsn;
    EXPECT_THAT(problems[0], Not(HasSubstr("hunter2")));
  }
}

class PasswordFiles : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directory(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, const std::string& content) {
    std::ofstream(folder_ + name, std::ios::binary) << content;
    return folder_ + name;
  }

  std::string folder_ = testing::TempDir() + "pgt_password_files/";
};

TEST_F(PasswordFiles, AreReadIntoTheConnectionStrings) {
  const std::string a = file("a", "it's \\ a \"secret\"\n"), b = file("b", "worker pw"), c = file("c", " x \r\n");
  const auto result = load_text("databases:\n  - dsn: postgresql://u@h/shop\n    password_file: " + a +
                                    "\n    worker_dsn: user=w\n    worker_password_file: " + b +
                                    "\n  - dsn: dbname=other\n    password_file: " + c + "\n",
                                "f.yaml", {});
  ASSERT_THAT(result.problems, ElementsAre());
  ASSERT_EQ(result.config.databases.size(), 2U);
  EXPECT_EQ(result.config.databases[0].name, "shop");
  EXPECT_THAT(result.config.databases[0].dsn, HasSubstr(R"(password='it\'s \\ a "secret"')"));
  EXPECT_THAT(result.config.databases[0].worker_dsn, AllOf(HasSubstr("user='w'"), HasSubstr("password='worker pw'")));
  EXPECT_THAT(result.config.databases[1].dsn, HasSubstr("password=' x '")) << "blanks may be part of it";
  EXPECT_FALSE(result.password_in_text);
}

TEST_F(PasswordFiles, ThatHoldNoPasswordAreProblems) {
  const auto problems = [&](const std::string& lines) {
    return problems_of("databases:\n  - dsn: dbname=d\n" + lines);
  };
  EXPECT_THAT(problems("    password_file: " + folder_ + "none\n"),
              ElementsAre(AllOf(StartsWith("f.yaml:2:"), HasSubstr("password_file"), HasSubstr("cannot be read"))));
  EXPECT_THAT(problems("    password_file: " + folder_ + "\n"), ElementsAre(HasSubstr("cannot be read")));
  for (const std::string& content : {std::string(), std::string("\n"), std::string("hunter2\nhunter3\n"),
                                     std::string("hunter2\0", 8), "hunter2" + std::string(1024, 'x')}) {
    EXPECT_THAT(problems("    password_file: " + file("bad", content) + "\n"),
                ElementsAre(AllOf(HasSubstr("does not hold one line"), Not(HasSubstr("hunter")))));
  }
}

TEST_F(PasswordFiles, HaveOneConnectionStringWithoutAPassword) {
  const std::string a = file("a", "pw");
  EXPECT_THAT(problems_of("databases:\n  - dsn: password=x\n    password_file: " + a + "\n"),
              ElementsAre(HasSubstr("a password of its own")));
  EXPECT_THAT(problems_of("databases:\n  - dsn: dbname=d\n    worker_password_file: " + a + "\n"),
              ElementsAre(HasSubstr("no worker_dsn")));
}

TEST(ConfigLoad, AFileWithAPasswordThatEverybodyCanReadIsWarnedAbout) {
  namespace fs = std::filesystem;
  const std::string path = testing::TempDir() + "pgt_config.yaml";
  const auto warnings = [&](const std::string& dsn, fs::perms permissions) {
    std::ofstream(path) << "databases:\n  - dsn: \"" << dsn << "\"\n";
    fs::permissions(path, permissions);
    return load(path, Overrides{}).warnings;
  };
  const auto open = fs::perms::owner_all | fs::perms::group_read | fs::perms::others_read;
  EXPECT_THAT(warnings("host=a password=hunter2", open),
              ElementsAre(AllOf(HasSubstr("everybody"), Not(HasSubstr("hunter2")))));
  EXPECT_THAT(warnings("postgresql://u:hunter2@h/d", open), ElementsAre(HasSubstr("everybody")));
  EXPECT_THAT(warnings("host=a password=hunter2", fs::perms::owner_all | fs::perms::group_read), ElementsAre());
  EXPECT_THAT(warnings("host=a", open), ElementsAre());
  fs::remove(path);
}

}  // namespace
}  // namespace pgtrickle::config
