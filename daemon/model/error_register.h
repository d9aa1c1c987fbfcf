// The one register of errors: every SQLSTATE that somebody here raises, knows or judges, what kind of error it is, and
// what to do about it. docs/ERRORS.md and sql/29_error_register.sql are made from it, and tests compare it with what
// SQL and C++ raise. Nothing else compares SQLSTATEs: parts that have to decide by one ask a question of this file.
#pragma once

#include <array>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace pgtrickle {

enum class ErrorClass {
  kRetryable,      // a passing condition: conflict, lock, resource shortage, connection; the same may succeed later
  kInDoubt,        // the connection was lost while a COMMIT was under way: it may have happened or not
  kCanceled,       // we asked for it: cancelled by the caller
  kPrivilege,      // a role lacks a right
  kCorruption,     // state and table disagree: re-initialise
  kObsolete,       // the program refers to something that is gone or has changed: rebuild
  kIndexTooLarge,  // an index row does not fit into a page: rebuild with hash identity
  kPermanent,      // everything else: it will fail again until somebody changes something
};

struct ErrorClassInfo {
  ErrorClass error_class;
  const char* name;
  const char* daemon_does;  // about a refresh that fails so
  const char* remedy;       // for people; may name %1$L the stream table, %2$I its owner, %3$I the admin, for format()
};

/// In the order of ErrorClass.
[[nodiscard]] std::span<const ErrorClassInfo> error_class_register();
[[nodiscard]] std::string_view to_string(ErrorClass error_class);

/// The conditions that have a row in the register, by the names that PostgreSQL has for them.
enum class Condition {
  kSqlclientUnableToEstablishConnection,
  kConnectionFailure,
  kProtocolViolation,
  kFeatureNotSupported,
  kInvalidRoleSpecification,
  kCardinalityViolation,
  kNullValueNotAllowed,
  kInvalidParameterValue,
  kInvalidTextRepresentation,
  kNotNullViolation,
  kUniqueViolation,
  kExclusionViolation,
  kActiveSqlTransaction,
  kReadOnlySqlTransaction,
  kIdleInTransactionSessionTimeout,
  kInvalidSqlStatementName,
  kDependentObjectsStillExist,
  kInvalidTransactionTermination,
  kInvalidCatalogName,
  kInvalidSchemaName,
  kTransactionRollback,
  kSerializationFailure,
  kStatementCompletionUnknown,
  kDeadlockDetected,
  kSyntaxErrorOrAccessRuleViolation,
  kInsufficientPrivilege,
  kSyntaxError,
  kInvalidName,
  kNameTooLong,
  kDuplicateColumn,
  kUndefinedColumn,
  kUndefinedObject,
  kDuplicateObject,
  kDatatypeMismatch,
  kWrongObjectType,
  kUndefinedFunction,
  kUndefinedTable,
  kUndefinedParameter,
  kDuplicateSchema,
  kDuplicateTable,
  kInvalidColumnReference,
  kInvalidCursorDefinition,
  kInvalidTableDefinition,
  kInvalidObjectDefinition,
  kIndeterminateCollation,
  kDiskFull,
  kOutOfMemory,
  kConfigurationLimitExceeded,
  kProgramLimitExceeded,
  kStatementTooComplex,
  kTooManyColumns,
  kObjectNotInPrerequisiteState,
  kObjectInUse,
  kLockNotAvailable,
  kQueryCanceled,
  kRaiseException,
  kNoDataFound,
  kTooManyRows,
  kPaused,
  kNotTogether,
  kTriedAndUndone,
  kWaitForBuild,
  kInternalError,
  kDataCorrupted,
  kIndexCorrupted,
};

struct ConditionInfo {
  Condition condition;
  const char* sqlstate;
  const char* name;  // as in ERRCODE = '..'; none for those of our own class TR
  ErrorClass error_class;
  const char* ours;    // when we raise it ourselves; empty: only PostgreSQL does
  const char* remedy;  // empty: that of its class of SQLSTATEs, if that has the same error class; or of the error class
};

/// In the order of Condition.
[[nodiscard]] std::span<const ConditionInfo> condition_register();
[[nodiscard]] const ConditionInfo& info(Condition condition);

/// All SQLSTATEs that begin with the prefix and have no row of their own.
struct SqlstateClassInfo {
  const char* prefix;
  const char* name;
  ErrorClass error_class;
  const char* remedy;  // empty: that of the error class
};

[[nodiscard]] std::span<const SqlstateClassInfo> sqlstate_class_register();

[[nodiscard]] std::string sqlstate_of(Condition condition);
[[nodiscard]] bool is_condition(std::string_view sqlstate, Condition condition);
[[nodiscard]] bool is_any_of(std::string_view sqlstate, std::initializer_list<Condition> conditions);

/// The classes of SQLSTATEs that build_may_cure() is true for, but for a missing right.
inline constexpr std::array<std::string_view, 5> kClassesThatABuildMayCure{"0A", "22", "42", "55", "XX"};

// The questions ------------------------------------------------------------------------------------------------------

/// What is not in the register is permanent.
[[nodiscard]] ErrorClass classify_sqlstate(std::string_view sqlstate);
/// Of format(), see ErrorClassInfo.
[[nodiscard]] std::string_view remedy_of(std::string_view sqlstate);
/// Two transactions were in each other's way: at once again.
[[nodiscard]] bool is_conflict(std::string_view sqlstate);
/// A conflict, a lost connection, the end of a session: neither the stream table nor its query has to do with it.
[[nodiscard]] bool is_of_circumstances(std::string_view sqlstate);
/// Raised by pgtrickle for pgtrickle, never for people: class TR.
[[nodiscard]] bool is_signal(std::string_view sqlstate);
/// The server refused a delta program, or to evaluate in it what the query by itself would not have evaluated:
/// recomputing may do.
[[nodiscard]] bool may_recompute_instead(std::string_view sqlstate);
/// A build of a stream table that stopped so may help it, a refresh will not: an expression may have failed for a row
/// that is gone again, or in the program alone. A missing right is not cured so.
[[nodiscard]] bool build_may_cure(std::string_view sqlstate);
/// A name, or a constant that is one (a label of an enum, a regclass), means nothing.
[[nodiscard]] bool is_unknown_name(std::string_view sqlstate);
/// So PostgreSQL refuses to change a published table without a replica identity; and much else.
[[nodiscard]] bool may_be_of_publication(std::string_view sqlstate);

// What is made from it -----------------------------------------------------------------------------------------------

/// docs/ERRORS.md
[[nodiscard]] std::string error_docs();
/// sql/29_error_register.sql
[[nodiscard]] std::string error_sql();

}  // namespace pgtrickle
