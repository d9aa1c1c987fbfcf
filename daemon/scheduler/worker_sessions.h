// Worker sessions: the sessions that run the code of the owners of stream tables. With a login of their own they have
// nothing to lose, and serve one owner at a time; otherwise they are the admin's, and serve only owners whom the admin
// trusts. A table keeps to the session that has made its plans, its home, as long as that is free.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/sessions.h"
#include "scheduler/table_registry.h"

namespace pgtrickle::scheduler {

class WorkerSessions {
 public:
  WorkerSessions(std::shared_ptr<Context> context, std::shared_ptr<Sessions> sessions,
                 std::shared_ptr<TableRegistry> registry)
      : context_(std::move(context)), sessions_(std::move(sessions)), registry_(std::move(registry)) {}

  /// A session that serves this domain, preferably one that has the plans of these tables.
  boost::asio::awaitable<postgres::Result<postgres::Pool::Lease>> acquire(Domain domain, std::vector<TableId> ids,
                                                                          postgres::Deadline deadline,
                                                                          std::chrono::milliseconds patience);

  [[nodiscard]] bool has_home(TableId id) const;
  void set_home(TableId id, const ConnectionPtr& session) { homes_[id] = session; }
  void forget_home(TableId id) { homes_.erase(id); }
  /// After a session has been used: the tables whose home has ended, if this one came after it.
  [[nodiscard]] std::vector<TableId> lost_homes(const ConnectionPtr& used);

  /// What the catalog says of the role of worker sessions.
  void set_role(std::string role, std::string problem);
  /// The sessions are to be asked again who they are.
  void forget_identity() { session_role_.reset(); }
  /// After each load of the catalog: whether worker sessions are what they should be (Context::worker_trouble).
  boost::asio::awaitable<MaybeError> check(ConnectionPtr control);
  /// Says in the catalog which stream tables are not served because of their owner, and takes it back.
  boost::asio::awaitable<MaybeError> refuse_or_admit(ConnectionPtr control);

 private:
  [[nodiscard]] postgres::Pool::Preference preference(const std::vector<TableId>& ids, Domain domain) const;
  boost::asio::awaitable<std::string> trouble(ConnectionPtr control);

  std::shared_ptr<Context> context_;
  std::shared_ptr<Sessions> sessions_;
  std::shared_ptr<TableRegistry> registry_;
  std::map<TableId, std::weak_ptr<postgres::Connection>> homes_;
  TimePoint newest_home_ = TimePoint::min();
  std::string role_, problem_;               // as the catalog says
  std::optional<std::string> session_role_;  // as whom the sessions log in, once that is known
};

}  // namespace pgtrickle::scheduler
