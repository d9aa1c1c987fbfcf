// A control session of the builder: a connection as the admin that can be used for many builds of one database. Nothing
// that a user wrote is ever run, planned or folded in it: types are asked with Parse and Describe, which only analyse.
//
// Keeps what is known about PostgreSQL's own types as long as nobody defines anything that can change that. One thread
// at a time. Throws pqxx exceptions.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <pqxx/pqxx>
#include <string>
#include <utility>
#include <vector>

#include "compiler/catalog.h"
#include "postgres/blocking_session.h"

struct pg_conn;

namespace pgtrickle::catalog {

/// A type as the server describes it.
struct ServerType {
  compiler::TypeInfo info;
  bool is_pseudo = false;       // no table can have a column of it
  std::uint32_t collation = 0;  // its own; 0: it has none
};

/// What is known about types and operators of PostgreSQL itself.
struct BuiltinTypes {
  std::string made_for;  // what others have defined about them
  std::map<std::uint32_t, ServerType> types;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::pair<std::uint32_t, std::uint32_t>> operators;
};

/// What sessions of the builder begin with, whatever settings a role or database has for others.
postgres::SessionSettings neutral_settings();

/// `conninfo` with a name for the session, if it has none.
std::string named_session(const std::string& conninfo);

class Session {
 public:
  /// Whether names in a query mean what they mean to who has logged in, or nothing without a schema.
  enum class Path { kPinned, kOfLogin };

  explicit Session(const std::string& conninfo, Path path = Path::kPinned);

  [[nodiscard]] pqxx::connection_base& connection() { return *connection_; }
  [[nodiscard]] const std::string& conninfo() const { return conninfo_; }

  /// The types of a statement's columns, by OID. Runs in whatever transaction is open on the connection, which fails
  /// with it. Takes one statement only.
  std::vector<std::uint32_t> describe(const std::string& statement);

  /// A statement that is prepared once.
  pqxx::result run_prepared(pqxx::transaction_base& tx, const std::string& name, const std::string& statement);
  template <typename... Arguments>
  pqxx::result run_prepared(pqxx::transaction_base& tx, const std::string& name, const std::string& statement,
                            const Arguments&... arguments) {
    prepare(name, statement);
    return tx.exec_prepared(name, arguments...);
  }

  [[nodiscard]] bool is_worth_keeping() const { return connection_->is_open(); }
  /// Does the server still answer?
  [[nodiscard]] bool is_usable();
  /// For who takes it up again: code of an owner, which reading a literal can run, may have changed settings for good.
  void clear();

  BuiltinTypes& builtin_types() { return builtin_types_; }

 private:
  void prepare(const std::string& name, const std::string& statement);

  std::string conninfo_;
  Path path_;
  std::shared_ptr<pg_conn*> handle_;                   // of libpq, nullptr once it is closed
  std::shared_ptr<pqxx::connection_base> connection_;  // shared: its destructor is not virtual
  std::map<std::string, std::string> prepared_;
  BuiltinTypes builtin_types_;
};

/// Sessions of a kind that wait for the next build: opening one, with its empty caches, takes as long as a build. For
/// all threads.
template <typename T>
class Kept {
 public:
  static Kept& all() {
    static Kept sessions;
    return sessions;
  }

  /// One that works, or a new one.
  std::unique_ptr<T> take(const std::string& conninfo) {
    while (auto session = find(conninfo)) {
      try {
        session->clear();
        if (session->is_usable()) return session;
      } catch (const pqxx::failure&) {  // its connection is lost
      }
    }
    return std::make_unique<T>(conninfo);
  }

  void keep(const std::string& conninfo, std::unique_ptr<T> session) {
    std::unique_ptr<T> surplus;
    const std::lock_guard lock(mutex_);
    sessions_.emplace_back(conninfo, std::move(session));
    if (sessions_.size() <= kMost) return;
    surplus = std::move(sessions_.front().second);
    sessions_.erase(sessions_.begin());
  }

  void close(const std::string& conninfo) {
    while (find(conninfo)) continue;
  }

 private:
  static constexpr std::size_t kMost = 8;

  std::unique_ptr<T> find(const std::string& conninfo) {
    const std::lock_guard lock(mutex_);
    const auto found =
        std::find_if(sessions_.begin(), sessions_.end(), [&](const auto& kept) { return kept.first == conninfo; });
    if (found == sessions_.end()) return nullptr;
    auto session = std::move(found->second);
    sessions_.erase(found);
    return session;
  }

  std::mutex mutex_;
  std::vector<std::pair<std::string, std::unique_ptr<T>>> sessions_;  // by connection string, oldest first
};

/// A session for a while; kept for the next build if it is of use for that.
template <typename T>
class Lease {
 public:
  explicit Lease(const std::string& conninfo) : conninfo_(conninfo), session_(Kept<T>::all().take(conninfo)) {}
  ~Lease() {
    if (session_->is_worth_keeping()) Kept<T>::all().keep(conninfo_, std::move(session_));
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  T& operator*() { return *session_; }
  T* operator->() { return session_.get(); }

 private:
  std::string conninfo_;
  std::unique_ptr<T> session_;
};

}  // namespace pgtrickle::catalog
