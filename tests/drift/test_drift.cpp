// The drift matrix: every row of tests/drift/matrix/, before, between and inside of what refreshes and writers do,
// with and without event triggers. After it the stream table is what its query is, or says why it stopped; others on
// the same source go on; no statement of a writer fails. --gtest_filter='*rename_a_column*' runs the cells of a row.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <future>
#include <memory>
#include <regex>
#include <set>
#include <sstream>

#include "drift/matrix.h"
#include "drift/stage.h"
#include "support/cluster.h"
#include "support/process.h"

namespace pgt::test {
namespace {

using Outcome = Expectation::Outcome;

// When it happens.
enum class Column { kBefore, kBetween, kWithin, kAfterSnapshot, kDuringRefresh };

constexpr std::pair<Column, const char*> kColumns[] = {
    {Column::kBefore, "before"},                 // after the build, with nothing pending
    {Column::kBetween, "between"},               // between two refreshes, with writes on both sides
    {Column::kWithin, "within"},                 // in one transaction with writes, and with a refresh by hand
    {Column::kAfterSnapshot, "after_snapshot"},  // committed after a refresh has taken its snapshot, before it begins
    {Column::kDuringRefresh, "during_refresh"},  // meets a refresh that has not committed
};

const Matrix& matrix() {
  static const Matrix it = read_matrix(source_dir() + "/tests/drift/matrix");
  return it;
}

struct Cell {
  const Row* row;
  Column column;
  const char* column_name;
  bool watched;
};

void PrintTo(const Cell& cell, std::ostream* out) {
  *out << cell.row->place;
}

// Stages are made when they are first needed, and again after a cell that failed or many that did not.
Stage& stage_for(bool watched, bool fresh) {
  static std::unique_ptr<Stage> stages[2];
  static int played[2] = {0, 0};
  auto& stage = stages[watched ? 1 : 0];
  int& n = played[watched ? 1 : 0];
  if (fresh || !stage || ++n > 40) {
    stage.reset();
    stage = std::make_unique<Stage>(watched);
    n = 1;
  }
  return *stage;
}

class Drift : public ::testing::TestWithParam<Cell> {
 protected:
  void play() {
    const Row& row = *GetParam().row;
    SCOPED_TRACE(row.place + " " + row.statement);
    static std::map<bool, bool> spoilt;
    stage_ = &stage_for(GetParam().watched, std::exchange(spoilt[GetParam().watched], false));
    if (stage_->server_major() < row.since) return;
    try {
      stage_->set_up(row.world, GetParam().column == Column::kBetween || GetParam().column == Column::kDuringRefresh);
      start_ = stage_->generation("st");
      happen();
      if (!HasFatalFailure()) aftermath();
      stage_->clear(row.world, row.undo);
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
    if (HasFailure()) {
      spoilt[GetParam().watched] = true;
      clean_up_roughly(row);
    }
  }

 private:
  [[nodiscard]] const Row& row() const { return *GetParam().row; }
  [[nodiscard]] const Expectation& expected() const { return GetParam().watched ? row().watched : row().unwatched; }

  void happen() {
    switch (GetParam().column) {
      case Column::kBefore:
        return run(stage_->user(), row().statement);
      case Column::kBetween:
        return between();
      case Column::kWithin:
        return within();
      case Column::kAfterSnapshot:
        return after_snapshot();
      case Column::kDuringRefresh:
        return during_refresh();
    }
  }

  void aftermath() {
    const bool pending = GetParam().column != Column::kBefore;
    judge(pending);
    write_after(stage_->user());
    judge(true);
    if (!row().cure) return;
    run(stage_->user(), *row().cure);
    (void)stage_->build("st");
    EXPECT_EQ(stage_->settle("st").stopped, "") << "after the cure";
    EXPECT_TRUE(stage_->equals_view("st")) << "after the cure";
  }

  void between() {
    write(stage_->user());
    EXPECT_EQ(stage_->settle("st").stopped, "") << "before anything happened";
    write(stage_->user());
    run(stage_->user(), row().statement);
    write_after(stage_->user());
  }

  void within() {
    Session& user = stage_->user();
    run(user, "BEGIN");
    write(user);
    run(user, row().statement);
    refresh_in_transaction(user);
    write_after(user);
    run(user, "COMMIT");
  }

  // It may say that this cannot be done now, but not do it wrongly.
  void refresh_in_transaction(Session& user) {
    if (expected().outcome == Outcome::kLimit) return;
    run(user, "SAVEPOINT by_hand");
    try {
      user.exec("SELECT pgtrickle.refresh_stream_table('drift.st')");
      if (user.value("SELECT to_regclass('drift.st_view') IS NOT NULL") == "t") {
        EXPECT_TRUE(stage_->equals_view(user, "st")) << "refreshed in the transaction";
      }
    } catch (const pqxx::sql_error& error) {
      EXPECT_NE(error.sqlstate(), "XX001") << error.what();
    }
    run(user, "ROLLBACK TO SAVEPOINT by_hand; RELEASE SAVEPOINT by_hand; RESET ROLE");
  }

  void after_snapshot() {
    Session& refresher = stage_->refresher();
    run(refresher, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class");
    write(stage_->user());
    run(stage_->user(), row().statement);
    write_after(stage_->user());
    try {
      refresher.exec("SELECT pgtrickle.refresh_stream_table('drift.st')");
      refresher.exec("COMMIT");
    } catch (const pqxx::sql_error& error) {  // its snapshot is from before: an error is an answer
      EXPECT_NE(error.sqlstate(), "XX001") << error.what();
      refresher.exec("ROLLBACK");
    }
  }

  void during_refresh() {
    write(stage_->user());
    Session& refresher = stage_->refresher();
    run(refresher, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pgtrickle.refresh_stream_table('drift.st')");
    auto happening = std::async(std::launch::async, [&] {
      run(stage_->another_user(), row().statement);
      write_after(stage_->another_user());
    });
    EXPECT_TRUE(wait_until([&] {
      return happening.wait_for(std::chrono::seconds(0)) == std::future_status::ready || stage_->other_waits();
    }));
    run(refresher, "COMMIT");
    happening.get();
  }

  void write(Session& session) { run(session, row().world.write); }
  void write_after(Session& session) {
    if (row().write_after != "none") run(session, row().write_after);
  }

  // Nothing of what users do may fail because of a stream table.
  void run(Session& session, const std::string& sql) {
    try {
      session.exec(sql);
    } catch (const pqxx::sql_error& error) {
      ADD_FAILURE() << "a user's statement failed: " << sql << "\n" << error.what();
      throw std::runtime_error("what followed was not done");
    }
  }

  void judge(bool pending) {
    const Settled settled = stage_->settle("st");
    switch (expected().outcome) {
      case Outcome::kStalls:
        if (!pending) break;
        [[fallthrough]];
      case Outcome::kStops:
        EXPECT_NE(settled.stopped, "") << "it goes on as if nothing had happened";
        EXPECT_TRUE(std::regex_search(settled.stopped, std::regex(expected().text))) << "it says: " << settled.stopped;
        break;
      case Outcome::kUnchanged:
        EXPECT_EQ(stage_->generation("st"), start_) << "it was rebuilt without need";
        EXPECT_FALSE(settled.rebuilt) << "it was rebuilt without need";
        [[fallthrough]];
      case Outcome::kEquals:
        EXPECT_EQ(settled.stopped, "");
        EXPECT_TRUE(stage_->equals_view("st"));
        break;
      case Outcome::kLimit:
        EXPECT_EQ(stage_->build("st").status, pgtrickle::catalog::BuildStatus::kActive);
        EXPECT_TRUE(stage_->equals_view("st")) << "even when rebuilt";
        break;
    }
    if (!stage_->has_other()) return;
    EXPECT_EQ(stage_->settle("other").stopped, "") << "another stream table on the same source";
    EXPECT_TRUE(stage_->equals_view("other")) << "another stream table on the same source";
  }

  // Roles and settings are the cluster's: a cell that failed must not leave them to the next.
  void clean_up_roughly(const Row& row) {
    StageSession session(stage_->dsn());
    for (const std::string& sql : {row.undo, std::string("DROP SCHEMA IF EXISTS drift, elsewhere CASCADE"),
                                   std::string("DROP SCHEMA IF EXISTS pgtrickle_state CASCADE"), row.world.teardown}) {
      try {
        if (!sql.empty()) session.exec(sql);
      } catch (const std::exception&) {
      }
    }
  }

  Stage* stage_ = nullptr;
  std::string start_;
};

TEST_P(Drift, IsFollowed) {
  play();
}

// What is left out, unless PGT_DRIFT=all. Its README says so too.
bool is_worth_it(const Row& row, Column column, bool watched) {
  static const bool all = std::getenv("PGT_DRIFT") != nullptr && std::string(std::getenv("PGT_DRIFT")) == "all";
  if (all) return true;
  const bool unchanged = (watched ? row.watched.outcome : row.unwatched.outcome) == Outcome::kUnchanged;
  const auto number = static_cast<std::size_t>(&row - matrix().rows.data());
  const auto is_in_turn = [&](const auto& columns) {
    const Column turn = columns[number % std::size(columns)];
    return column == (row.alone && turn == Column::kWithin ? Column::kBetween : turn);
  };
  // Nothing changes for it: there is no moment at which that could be missed.
  constexpr Column kOfWrites[] = {Column::kBetween, Column::kWithin};
  if (unchanged && !watched) return is_in_turn(kOfWrites);
  // Without event triggers the statement runs nothing of ours: one that waits for a refresh is one that comes after it.
  constexpr Column kUnwatched[] = {Column::kBetween, Column::kBefore, Column::kWithin, Column::kAfterSnapshot};
  if (!watched) return is_in_turn(kUnwatched);
  if (column == Column::kBetween || column == Column::kWithin) return true;
  constexpr Column kWatched[] = {Column::kBefore, Column::kAfterSnapshot, Column::kDuringRefresh};
  return !unchanged && is_in_turn(kWatched);
}

std::vector<Cell> cells(bool watched) {
  std::vector<Cell> out;
  for (const Row& row : matrix().rows) {
    for (const auto& [column, name] : kColumns) {
      if (row.alone && column == Column::kWithin) continue;
      if (is_worth_it(row, column, watched)) out.push_back({&row, column, name, watched});
    }
  }
  return out;
}

std::string cell_name(const ::testing::TestParamInfo<Cell>& param) {
  const Cell& cell = param.param;
  return identifier(cell.row->world.name + " " + cell.row->name) + "__" + cell.column_name;
}

INSTANTIATE_TEST_SUITE_P(Watched, Drift, ::testing::ValuesIn(cells(true)), cell_name);
INSTANTIATE_TEST_SUITE_P(Unwatched, Drift, ::testing::ValuesIn(cells(false)), cell_name);

// Each command that can touch what a query depends on has a row, or a reason in the file why it needs none.
TEST(DriftMatrix, KnowsEveryCommand) {
  std::string statements;
  for (const Row& row : matrix().rows) statements += row.statement + "\n";
  statements = std::regex_replace(statements, std::regex("OR REPLACE |UNIQUE |UNLOGGED |TRUSTED "), "");
  std::ifstream in(source_dir() + "/tests/drift/commands.txt");
  ASSERT_TRUE(in.good());
  std::set<std::string> known;
  for (std::string command; std::getline(in, command);) {
    if (command.empty() || command.starts_with("#")) continue;
    const auto bar = command.find(" | ");
    const std::string pattern = bar == std::string::npos ? command + "\\b" : command.substr(bar + 3);
    command = command.substr(0, bar);
    known.insert(command);
    const bool exempt = matrix().exempt.contains(command);
    EXPECT_NE(std::regex_search(statements, std::regex("(^|; ?|\n)" + pattern)), exempt)
        << command << (exempt ? " has a row, so it is not exempt" : " has neither a row nor a reason");
  }
  for (const auto& [command, why] : matrix().exempt) EXPECT_TRUE(known.contains(command)) << command;
}

}  // namespace
}  // namespace pgt::test
