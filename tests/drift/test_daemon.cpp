// A sample of the matrix (rows with "daemon:") with a running daemon: it notices by itself, and soon.
#include <gtest/gtest.h>

#include <regex>

#include "drift/matrix.h"
#include "drift/stage.h"
#include "support/cluster.h"
#include "support/process.h"

namespace pgt::test {
namespace {

using namespace std::chrono_literals;
using Outcome = Expectation::Outcome;

struct Play {
  Row row;
  bool watched;
};

void PrintTo(const Play& play, std::ostream* out) {
  *out << play.row.place;
}

class DriftWithDaemon : public ::testing::TestWithParam<Play> {
 protected:
  // Roles are the cluster's: they go whatever happened.
  void TearDown() override {
    daemon_.stop();
    stage_.clear(row().world, row().undo);
  }

  [[nodiscard]] const Row& row() const { return GetParam().row; }
  [[nodiscard]] const Expectation& expected() const { return GetParam().watched ? row().watched : row().unwatched; }

  void expect_noticed() {
    if (expected().outcome == Outcome::kStops || expected().outcome == Outcome::kStalls) {
      EXPECT_TRUE(wait_until([&] { return !stage_.said_to_have_stopped("st").empty(); }, 60s)) << "it goes on";
      EXPECT_TRUE(std::regex_search(stage_.said_to_have_stopped("st"), std::regex(expected().text)))
          << "it says: " << stage_.said_to_have_stopped("st");
    } else {
      expect_equal("st");
    }
    if (stage_.has_other()) expect_equal("other");
  }

  void expect_equal(const std::string& name) {
    EXPECT_TRUE(wait_until([&] { return static_cast<bool>(stage_.equals_view(name)); }, 60s));
    EXPECT_TRUE(stage_.equals_view(name)) << stage_.said_to_have_stopped(name) << daemon_.log();
  }

  Stage stage_{GetParam().watched, Stage::Builder::kDaemon};
  DaemonProcess daemon_{stage_.dsn()};
};

TEST_P(DriftWithDaemon, Notices) {
  stage_.set_up(row().world, true);
  stage_.user().exec(row().world.write);
  stage_.user().exec(row().statement);
  expect_noticed();
  if (row().write_after != "none") stage_.user().exec(row().write_after);
  expect_noticed();
  if (row().cure) {
    stage_.user().exec(*row().cure);
    expect_equal("st");
  }
}

std::vector<Play> plays(bool watched) {
  std::vector<Play> out;
  for (const Row& row : read_matrix(source_dir() + "/tests/drift/matrix").rows)
    if (row.with_daemon) out.push_back({row, watched});
  return out;
}

std::string play_name(const ::testing::TestParamInfo<Play>& info) {
  return identifier(info.param.row.world.name + " " + info.param.row.name);
}

INSTANTIATE_TEST_SUITE_P(Watched, DriftWithDaemon, ::testing::ValuesIn(plays(true)), play_name);
INSTANTIATE_TEST_SUITE_P(Unwatched, DriftWithDaemon, ::testing::ValuesIn(plays(false)), play_name);

}  // namespace
}  // namespace pgt::test
