// Discovery: an entry of the configuration with `discover` stands for every database of its server that has pgtrickle.
//
// The pure part says which databases are to be served and what that changes. Discovery looks at one server again and
// again: it lists the databases, asks each one for pgtrickle over a short connection, one after the other, and never
// blocks the event loop. Who cannot be asked stays what he was. Errors are logged when they change, and never end
// anything. Threads: the event loop thread. run() holds the object; after stop() it ends soon.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "config/config.h"
#include "observe/observer.h"
#include "postgres/connection.h"

namespace pgtrickle::scheduler {

/// What to say of an installation that belongs to somebody whom we do not trust.
[[nodiscard]] std::string foreign_installation(const std::string& owner);

/// What is known of one server: its databases with pgtrickle. Both functions say whether that changed.
class FoundDatabases {
 public:
  /// These exist; others that were found are gone.
  bool exist(const std::vector<std::string>& databases);
  bool answered(const std::string& database, bool has_pgtrickle);
  [[nodiscard]] const std::set<std::string>& names() const { return names_; }

 private:
  std::set<std::string> names_;
};

/// By the name of the entry: what was found for it.
using FoundByEntry = std::map<std::string, std::set<std::string>>;

/// The databases to serve: the ones that are listed, then the ones that were found, named dbname or entry/dbname. What
/// is found twice, or is listed as well, is served once; names are unique.
[[nodiscard]] std::vector<config::Database> databases_to_serve(const std::vector<config::Database>& configured,
                                                               const FoundByEntry& found);

/// False if a change from one to the other needs new connections.
[[nodiscard]] bool same_connections(const config::Database& a, const config::Database& b);

/// From what is served to what is to be served, as positions in the two lists. A database whose connections are to be
/// different is ended and started.
struct ServiceChanges {
  std::vector<std::size_t> end;    // of `current`
  std::vector<std::size_t> start;  // of `wanted`
};
[[nodiscard]] ServiceChanges service_changes(const std::vector<config::Database>& current,
                                             const std::vector<config::Database>& wanted);

class Discovery : public std::enable_shared_from_this<Discovery> {
 public:
  /// `changed` is called after found() has changed.
  Discovery(const boost::asio::any_io_executor& executor, std::shared_ptr<boost::asio::thread_pool> libpq_workers,
            config::Database entry, config::Milliseconds interval, std::function<void()> changed);

  /// Call once.
  static boost::asio::awaitable<void> run(std::shared_ptr<Discovery> self);
  /// Ends run() after the operation that is under way; cancel it to end it at once.
  void stop();
  /// Also looks again at once.
  void set_interval(config::Milliseconds interval);

  [[nodiscard]] const config::Database& entry() const { return entry_; }
  [[nodiscard]] const std::set<std::string>& found() const { return found_.names(); }
  [[nodiscard]] observe::DatabaseStatus status() const;

 private:
  boost::asio::awaitable<void> look();
  /// Runs one statement in a database over a connection of its own.
  boost::asio::awaitable<postgres::Result<postgres::Rows>> ask(std::string database, std::string sql);
  /// `database` is empty for the server as a whole; an empty problem means that there is none any more.
  void set_problem(const std::string& database, const std::string& problem);
  [[nodiscard]] std::string label() const;

  std::shared_ptr<boost::asio::thread_pool> libpq_workers_;
  config::Database entry_;
  config::Milliseconds interval_;
  std::function<void()> changed_;
  postgres::Event signal_;
  bool stopping_ = false;
  bool listed_ = false;  // the last attempt to list the databases succeeded
  FoundDatabases found_;
  std::map<std::string, std::string> problems_;
};

}  // namespace pgtrickle::scheduler
