// What went wrong with a database operation, as a value, and what to do about it. The classification by SQLSTATE is one
// table in error.cpp; nothing else in the daemon compares SQLSTATEs. No member ever contains a password.
#pragma once

#include <string>
#include <string_view>

namespace pgtrickle::postgres {

enum class ErrorClass {
  kRetryable,   // a passing condition: conflict, lock, resource shortage, connection; the same call may succeed later
  kInDoubt,     // the connection was lost while a COMMIT was under way: it may have happened or not
  kCanceled,    // we asked for it: cancelled by the caller
  kPrivilege,   // a role lacks a right
  kCorruption,  // state and table disagree: re-initialise
  kObsolete,    // the program refers to something that is gone or has changed: rebuild
  kIndexTooLarge,  // an index row does not fit into a page: rebuild with hash identity
  kPermanent,      // everything else: it will fail again until somebody changes something
};

enum class ErrorOrigin {
  kServer,      // an error message of the server; the connection is usable
  kConnection,  // the connection could not be made or was lost
  kTimeout,     // our deadline passed; the server was asked to cancel
  kCanceled,    // the caller cancelled; the server was asked to cancel
  kSkipped,     // a statement of a pipeline that was not run, because an earlier one failed
  kResult,      // the answer does not have the expected form
};

struct Error {
  ErrorOrigin origin = ErrorOrigin::kServer;
  std::string sqlstate;  // always set; conditions of our own use the standard's codes (08006, 57014, ...)
  std::string message;
  std::string detail, hint, context;  // of the server, may be empty
  bool fatal = false;                 // the server ended the connection with this message
  bool in_doubt = false;              // a COMMIT was under way
  bool of_publication = false;        // a published table has no replica identity, or not the one it needs

  [[nodiscard]] ErrorClass classify() const;
  /// One line for logs: SQLSTATE, message, and the detail if there is one.
  [[nodiscard]] std::string text() const;
};

[[nodiscard]] ErrorClass classify_sqlstate(std::string_view sqlstate);
[[nodiscard]] std::string_view to_string(ErrorClass error_class);

[[nodiscard]] Error connection_error(std::string message);
[[nodiscard]] Error timeout_error(std::string what);
[[nodiscard]] Error canceled_error(std::string what);
[[nodiscard]] Error result_error(std::string message);

}  // namespace pgtrickle::postgres
