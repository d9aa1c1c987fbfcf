// The tables of statuses and actions, and that what is made from them is current.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "model/action.h"
#include "model/status.h"

namespace pgtrickle {
namespace {

TEST(Statuses, TextsComeBack) {
  std::set<std::string> names;
  for (const StatusInfo& info : status_register()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_EQ(parse_status(to_string(info.status)), info.status);
  }
  EXPECT_EQ(parse_status("active"), std::nullopt);
}

TEST(Statuses, EveryEventHasItsTransition) {
  for (std::size_t i = 0; i < transitions().size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(transitions()[i].event), i) << transitions()[i].name;
  }
  EXPECT_EQ(transitions().back().event, StatusEvent::kOwnerChanged) << "the last one of StatusEvent";
}

// Nothing ends in a status that nobody leads out of, and none is out of reach.
TEST(Statuses, AreReachedAndLeft) {
  for (const StatusInfo& info : status_register()) {
    bool reached = false, left = false;
    for (const Transition& t : transitions()) {
      for (const TableStatus from : t.from) left = left || (from == info.status && t.to != info.status);
      reached = reached || (t.to == info.status && (t.from.empty() || t.from.front() != info.status));
    }
    EXPECT_TRUE(reached && left) << info.name;
  }
}

TEST(Statuses, OnlyListedChangesMayHappen) {
  EXPECT_TRUE(may_change(TableStatus::kActive, TableStatus::kSuspended));
  EXPECT_TRUE(may_change(TableStatus::kPaused, TableStatus::kPaused));
  EXPECT_FALSE(may_change(TableStatus::kPaused, TableStatus::kError));
  EXPECT_FALSE(may_change(TableStatus::kPending, TableStatus::kActive)) << "without a build";
  EXPECT_TRUE(may_happen(StatusEvent::kRefused, TableStatus::kActive));
  EXPECT_FALSE(may_happen(StatusEvent::kRefused, TableStatus::kSuspended));
  EXPECT_EQ(status_after(StatusEvent::kErrorsPersist), "SUSPENDED");
  EXPECT_EQ(sql_list_before(StatusEvent::kRefused), "'PENDING', 'INITIALIZING', 'ACTIVE'");
}

TEST(Statuses, DocumentationIsCurrent) {
  std::ifstream in(PGT_SOURCE_DIR "/docs/STATUS.md");
  std::ostringstream text;
  text << in.rdbuf();
  EXPECT_EQ(text.str(), status_docs()) << "run: pgtrickled --print-status-docs > docs/STATUS.md";
}

TEST(Actions, TextsComeBack) {
  for (const ActionInfo& info : action_register()) {
    EXPECT_EQ(parse_action(to_string(info.action)), info.action);
  }
}

// A program belongs to the owner of its stream table, who may have written another one.
TEST(Actions, AProgramCannotAnswerWhatOnlyTheDaemonSays) {
  EXPECT_EQ(parse_answer("FULL"), Action::kFull);
  EXPECT_EQ(parse_answer("DEFERRED"), std::nullopt);
  EXPECT_EQ(parse_answer("PAUSED"), std::nullopt);
  EXPECT_EQ(parse_answer("EMPTY"), std::nullopt);
  EXPECT_EQ(parse_answer("full"), std::nullopt);
  EXPECT_EQ(parse_answer(""), std::nullopt);
}

}  // namespace
}  // namespace pgtrickle
