#include "postgres/error.h"

#include <array>
#include <utility>

namespace pgtrickle::postgres {
namespace {

struct Rule {
  std::string_view prefix;  // a whole SQLSTATE, or its class (two characters)
  ErrorClass error_class;
};

// First match wins, so single states come before their class. pgtrickle._error_class() in sql/ says the same to people:
// keep them in step.
constexpr std::array kRules{
    Rule{"08P01", ErrorClass::kPermanent},      // protocol_violation
    Rule{"08", ErrorClass::kRetryable},         // connection exceptions
    Rule{"26000", ErrorClass::kRetryable},      // invalid_sql_statement_name: a prepared statement vanished
    Rule{"28", ErrorClass::kPrivilege},         // invalid authorization
    Rule{"3D000", ErrorClass::kPermanent},      // invalid_catalog_name: no such database
    Rule{"0A000", ErrorClass::kObsolete},       // feature_not_supported: a view depends on what the program alters
    Rule{"22P02", ErrorClass::kObsolete},       // invalid_text_representation: a label of an enum was renamed
    Rule{"3F000", ErrorClass::kObsolete},       // invalid_schema_name
    Rule{"40003", ErrorClass::kInDoubt},        // statement_completion_unknown
    Rule{"40", ErrorClass::kRetryable},         // serialization_failure, deadlock_detected
    Rule{"42501", ErrorClass::kPrivilege},      // insufficient_privilege
    Rule{"42P01", ErrorClass::kObsolete},       // undefined_table
    Rule{"42703", ErrorClass::kObsolete},       // undefined_column
    Rule{"42704", ErrorClass::kObsolete},       // undefined_object
    Rule{"42P22", ErrorClass::kObsolete},       // indeterminate_collation: the collation of a column changed
    Rule{"42804", ErrorClass::kObsolete},       // datatype_mismatch: a column's type changed under the program
    Rule{"42883", ErrorClass::kObsolete},       // undefined_function
    Rule{"53400", ErrorClass::kPermanent},      // configuration_limit_exceeded
    Rule{"53", ErrorClass::kRetryable},         // insufficient resources: connections, disk, memory
    Rule{"54000", ErrorClass::kIndexTooLarge},  // program_limit_exceeded: index row size exceeds maximum
    Rule{"55000", ErrorClass::kObsolete},       // object_not_in_prerequisite_state: published without identity
    Rule{"55006", ErrorClass::kRetryable},      // object_in_use
    Rule{"55P03", ErrorClass::kRetryable},      // lock_not_available
    Rule{"57014", ErrorClass::kRetryable},      // query_canceled: by somebody else or by statement_timeout
    Rule{"57P", ErrorClass::kRetryable},        // shutdown, crash, cannot_connect_now, idle session timeout
    Rule{"58", ErrorClass::kRetryable},         // system errors outside PostgreSQL
    Rule{"25006", ErrorClass::kRetryable},      // read_only_sql_transaction: a failover is under way
    Rule{"25P03", ErrorClass::kRetryable},      // idle_in_transaction_session_timeout
    // A constraint that the program was built on, a key or NOT NULL of a source, is gone: build it on what is there
    // now.
    Rule{"21000", ErrorClass::kCorruption},  // cardinality_violation: one key twice in an upsert
    Rule{"23502", ErrorClass::kCorruption},  // not_null_violation
    Rule{"23505", ErrorClass::kCorruption},  // unique_violation
    Rule{"XX001", ErrorClass::kCorruption},  // data_corrupted: raised by programs
    Rule{"XX002", ErrorClass::kCorruption},  // index_corrupted
};

}  // namespace

ErrorClass classify_sqlstate(std::string_view sqlstate) {
  for (const Rule& rule : kRules) {
    if (sqlstate.substr(0, rule.prefix.size()) == rule.prefix) return rule.error_class;
  }
  return ErrorClass::kPermanent;
}

std::string_view to_string(ErrorClass error_class) {
  switch (error_class) {
    case ErrorClass::kRetryable:
      return "retryable";
    case ErrorClass::kInDoubt:
      return "in doubt";
    case ErrorClass::kCanceled:
      return "canceled";
    case ErrorClass::kPrivilege:
      return "privilege";
    case ErrorClass::kCorruption:
      return "corruption";
    case ErrorClass::kObsolete:
      return "obsolete";
    case ErrorClass::kIndexTooLarge:
      return "index too large";
    case ErrorClass::kPermanent:
      return "permanent";
  }
  return "unknown";
}

ErrorClass Error::classify() const {
  if (in_doubt) return ErrorClass::kInDoubt;
  switch (origin) {
    case ErrorOrigin::kCanceled:
      return ErrorClass::kCanceled;
    case ErrorOrigin::kTimeout:
    case ErrorOrigin::kSkipped:
      return ErrorClass::kRetryable;
    case ErrorOrigin::kResult:
      return ErrorClass::kPermanent;
    case ErrorOrigin::kConnection:
    case ErrorOrigin::kServer:
      break;
  }
  return classify_sqlstate(sqlstate);
}

std::string Error::text() const {
  std::string out = sqlstate + ": " + message;
  if (!detail.empty()) out += " (" + detail + ")";
  for (char& c : out) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return out;
}

Error connection_error(std::string message) {
  return {.origin = ErrorOrigin::kConnection,
          .sqlstate = "08006",
          .message = std::move(message),
          .detail = {},
          .hint = {},
          .context = {}};
}

Error timeout_error(std::string what) {
  return {.origin = ErrorOrigin::kTimeout,
          .sqlstate = "57014",
          .message = "timed out: " + std::move(what),
          .detail = {},
          .hint = {},
          .context = {}};
}

Error canceled_error(std::string what) {
  return {.origin = ErrorOrigin::kCanceled,
          .sqlstate = "57014",
          .message = "cancelled: " + std::move(what),
          .detail = {},
          .hint = {},
          .context = {}};
}

Error result_error(std::string message) {
  return {.origin = ErrorOrigin::kResult,
          .sqlstate = "XX000",
          .message = std::move(message),
          .detail = {},
          .hint = {},
          .context = {}};
}

}  // namespace pgtrickle::postgres
