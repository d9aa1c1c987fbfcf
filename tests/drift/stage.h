// A database in which cells of the matrix are played, one after the other, each in a schema of its own called drift
// that is dropped afterwards: a database per cell would take most of the time. "Unwatched" is a database without event
// triggers, as where pgtrickle was installed without a superuser.
//
// Beside each stream table stands an ordinary view of the same text, made at the same time: what PostgreSQL itself
// makes of the query after whatever happened. It is the reference, read as the owner, under the settings of creation.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "drift/matrix.h"
#include "support/database.h"

namespace pgt::test {

/// What became of a stream table once it was refreshed, and rebuilt as often as it asked for that.
struct Settled {
  std::string stopped;  // why, empty if it is up to date
  bool rebuilt = false;
};

/// A session with the search_path of the rows.
class StageSession : public Session {
 public:
  explicit StageSession(const std::string& dsn);
};

class Stage {
 public:
  /// Who builds: this process, or a daemon that the caller has running, which refreshes too.
  enum class Builder { kTest, kDaemon };
  explicit Stage(bool watched, Builder builder = Builder::kTest);
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  /// The world of a row with its stream tables drift.st and drift.other (if it has one), built.
  void set_up(const World& world, bool with_other);
  /// Drops all of it.
  void clear(const World& world, const std::string& undo);

  [[nodiscard]] bool has_other() const { return has_other_; }
  Settled settle(const std::string& name);
  /// Rows, columns and their types are those of the view drift.<name>_view.
  ::testing::AssertionResult equals_view(const std::string& name);
  /// The same in a transaction of the caller.
  ::testing::AssertionResult equals_view(Session& session, const std::string& name);
  /// How often it was asked to be rebuilt, for whatever reason.
  [[nodiscard]] std::string generation(const std::string& name);
  pgtrickle::catalog::BuildResult build(const std::string& name);

  /// The session that writes, and issues the statement of the row.
  [[nodiscard]] Session& user() { return user_; }
  /// The same, for what waits for a refresh.
  [[nodiscard]] Session& another_user() { return another_user_; }
  /// The session that refreshes, and may have a transaction open meanwhile.
  [[nodiscard]] Session& refresher() { return refresher_; }
  /// Is the other user waiting for a lock?
  [[nodiscard]] bool other_waits();
  [[nodiscard]] const std::string& dsn() const { return db_.dsn(); }
  /// What the catalog says about a stream table that stopped; empty if it did not.
  [[nodiscard]] std::string said_to_have_stopped(const std::string& name);
  [[nodiscard]] int server_major();

 private:
  void create(const std::string& name, const std::string& query, const World& world);
  [[nodiscard]] bool asks_for_build(const std::string& name);
  std::string refresh(const std::string& name, bool& obsolete);
  bool make_missing_view(const std::string& name);
  [[nodiscard]] std::string id_of(const std::string& name) const { return name == "st" ? st_id_ : other_id_; }
  [[nodiscard]] std::string relation(Session& session, const std::string& name);
  [[nodiscard]] std::string owner(Session& session, const std::string& name);

  TestDatabase db_;
  StageSession user_;
  StageSession another_user_;
  StageSession judge_;      // its own transactions, always
  StageSession refresher_;  // long-lived like the daemon's, so that its cached plans meet what happens
  Builder builder_;
  World world_;
  bool has_other_ = false;
  std::string st_id_;
  std::string other_id_;
};

}  // namespace pgt::test
