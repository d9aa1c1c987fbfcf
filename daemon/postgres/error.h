// What went wrong with a database operation, as a value: one type for both client libraries. It comes from a result of
// libpq (connection.cpp), from an exception of libpqxx (blocking_error.h), or from ourselves. What to do about it is
// asked of it here; the answers by SQLSTATE are those of model/error_register.h, and nothing else in the daemon
// compares SQLSTATEs. No member ever contains a password.
#pragma once

#include <string>
#include <string_view>

#include "model/error_register.h"

namespace pgtrickle::postgres {

using pgtrickle::ErrorClass;

enum class ErrorOrigin {
  kServer,      // an error message of the server; the connection is usable
  kConnection,  // the connection could not be made or was lost
  kTimeout,     // our deadline passed; the server was asked to cancel
  kCanceled,    // the caller cancelled; the server was asked to cancel
  kSkipped,     // a statement of a pipeline that was not run, because an earlier one failed
  kResult,      // the answer does not have the expected form
  kOurs,        // found by ourselves, before or after asking the server
};

struct Error {
  ErrorOrigin origin = ErrorOrigin::kServer;
  std::string sqlstate;  // always set; conditions of our own use the standard's codes
  std::string message;
  std::string detail, hint, context;  // of the server, may be empty
  std::string place;                  // "LINE 1: SELEC ..." and a line with a caret; may be empty
  bool fatal = false;                 // the server ended the connection with this message
  bool in_doubt = false;              // a COMMIT was under way
  bool of_publication = false;        // a published table has no replica identity, or not the one it needs

  [[nodiscard]] ErrorClass classify() const;
  /// It passes by itself: a conflict, a lock, trouble with the connection, a shortage.
  [[nodiscard]] bool is_passing() const;
  [[nodiscard]] bool is(Condition condition) const { return is_condition(sqlstate, condition); }
  [[nodiscard]] bool is_conflict() const { return pgtrickle::is_conflict(sqlstate); }
  [[nodiscard]] bool is_of_circumstances() const { return pgtrickle::is_of_circumstances(sqlstate); }
  /// Somebody altered what we altered. PostgreSQL has no SQLSTATE for that.
  [[nodiscard]] bool is_concurrent_ddl() const;

  /// Message and detail.
  [[nodiscard]] std::string explained() const;
  /// One line for logs: SQLSTATE, message, and the detail if there is one.
  [[nodiscard]] std::string text() const;
};

[[nodiscard]] Error connection_error(std::string message);
/// It could not be made at all.
[[nodiscard]] Error connecting_error(std::string message);
[[nodiscard]] Error timeout_error(std::string what);
[[nodiscard]] Error canceled_error(std::string what);
[[nodiscard]] Error result_error(std::string message);
[[nodiscard]] Error our_error(Condition condition, std::string message, std::string hint = {});

/// An error about a name that the body of a user's function looks up, which is done by the search_path: the hint says
/// so. Ours is pinned, whatever the one of the function's author was.
void explain_search_path(Error& error);

/// The place in a query, out of a whole error text as psql shows it; empty if it has none.
[[nodiscard]] std::string place_in(std::string_view error_text);

}  // namespace pgtrickle::postgres
