#include "model/error_register.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace pgtrickle {
namespace {

using enum Condition;
using enum ErrorClass;

constexpr std::array kClasses{
    ErrorClassInfo{kRetryable, "retryable",
                   "It is tried again with growing pauses for as long as that lasts. This never counts against the "
                   "stream table.",
                   "Nothing: it is tried again. If it keeps coming, see the logs of the server and the daemon."},
    ErrorClassInfo{kInDoubt, "in doubt",
                   "It is refreshed again: the frontier was to be committed with the rows, so it tells what happened.",
                   "Nothing: it is tried again. If it keeps coming, see the logs of the server and the daemon."},
    ErrorClassInfo{kCanceled, "canceled", "The daemon wanted that: it stops, or its configuration changed.",
                   "Nothing: the daemon cancelled it itself."},
    ErrorClassInfo{kPrivilege, "privilege",
                   "The stream table is SUSPENDED at once. It is tried again after pauses that grow, and at once when "
                   "somebody grants something.",
                   "Grant role %2$I what the message says, then SELECT pgtrickle.resume_stream_table(%1$L);"},
    ErrorClassInfo{kCorruption, "corruption",
                   "It is re-initialised: state and rows are computed from its sources. After three times in a row its "
                   "status is ERROR, and it is tried again after pauses that grow.",
                   "It is re-initialised by itself. If it comes again: SELECT pgtrickle.repair_stream_table(%1$L);"},
    ErrorClassInfo{kObsolete, "obsolete",
                   "It is rebuilt from its query: the program refers to something that is gone or has changed. After "
                   "three times in a row its status is ERROR, and it is tried again after pauses that grow.",
                   "It is rebuilt by itself, also once what it reads is there again. If that does not come back: "
                   "SELECT pgtrickle.alter_stream_table(%1$L, query => ...); or SELECT "
                   "pgtrickle.drop_stream_table(%1$L);"},
    ErrorClassInfo{kIndexTooLarge, "index too large",
                   "It is rebuilt with keys that are hashes (once; if that does not help, as permanent).",
                   "Nothing: it is rebuilt with another kind of key."},
    ErrorClassInfo{kPermanent, "permanent",
                   "It is tried again, because data changes. After `max_consecutive_errors` in a row it is SUSPENDED, "
                   "and tried again after pauses that grow.",
                   "Remove the cause that the message names, then SELECT pgtrickle.resume_stream_table(%1$L);"},
};

constexpr std::array kSqlstateClasses{
    SqlstateClassInfo{"08", "connection exceptions", kRetryable, ""},
    SqlstateClassInfo{"22", "data exceptions", kPermanent,
                      "A row makes an expression of the query fail: correct the row or guard the expression, then "
                      "SELECT pgtrickle.resume_stream_table(%1$L);"},
    SqlstateClassInfo{"28", "invalid authorization", kPrivilege,
                      "The daemon was not let in: correct its connection string, password or pg_hba.conf, then SELECT "
                      "pgtrickle.resume_stream_table(%1$L);"},
    SqlstateClassInfo{"40", "transaction rollback", kRetryable,
                      "Nothing: it is tried again. If it keeps coming, look for transactions that write to it or lock "
                      "its sources for long."},
    SqlstateClassInfo{"42", "syntax errors, unknown names, missing rights", kPermanent,
                      "Correct the query or what it names, then SELECT pgtrickle.resume_stream_table(%1$L);"},
    SqlstateClassInfo{"53", "insufficient resources", kRetryable,
                      "Free what the server is short of (disk, memory, connections); then it is tried again."},
    SqlstateClassInfo{"57P", "shutdown, crash, a server that does not take connections yet, an idle session's timeout",
                      kRetryable, ""},
    SqlstateClassInfo{"58", "system errors outside of PostgreSQL", kRetryable, ""},
};

constexpr std::array kConditions{
    ConditionInfo{kSqlclientUnableToEstablishConnection, "08001", "sqlclient_unable_to_establish_sqlconnection",
                  kRetryable, "The daemon cannot connect, or not in time.", ""},
    ConditionInfo{kConnectionFailure, "08006", "connection_failure", kRetryable, "The daemon lost a connection.", ""},
    ConditionInfo{kProtocolViolation, "08P01", "protocol_violation", kPermanent, "", ""},
    ConditionInfo{kFeatureNotSupported, "0A000", "feature_not_supported", kObsolete,
                  "The query, an option or a source is of a kind that pgtrickle does not take, or not in this mode.",
                  "It cannot be maintained from changes: SELECT pgtrickle.alter_stream_table(%1$L, refresh_mode => "
                  "'FULL'); or change the query."},
    ConditionInfo{kInvalidRoleSpecification, "0P000", "invalid_role_specification", kPermanent,
                  "A role cannot be what is asked of it: a worker role with rights of its own.", ""},
    ConditionInfo{kCardinalityViolation, "21000", "cardinality_violation", kCorruption, "", ""},
    ConditionInfo{kNullValueNotAllowed, "22004", "null_value_not_allowed", kPermanent,
                  "An argument that must have a value is NULL.", ""},
    ConditionInfo{kInvalidParameterValue, "22023", "invalid_parameter_value", kPermanent,
                  "An argument or a setting has a value that means nothing: a schedule, a mode, an option.", ""},
    ConditionInfo{kInvalidTextRepresentation, "22P02", "invalid_text_representation", kObsolete, "", ""},
    ConditionInfo{kNotNullViolation, "23502", "not_null_violation", kCorruption, "", ""},
    ConditionInfo{kUniqueViolation, "23505", "unique_violation", kCorruption,
                  "The name of a group is taken; rows of a query violate a unique index of the user's on the stream "
                  "table.",
                  ""},
    ConditionInfo{kExclusionViolation, "23P01", "exclusion_violation", kPermanent,
                  "Rows of a query violate an exclusion constraint of the user's on the stream table.", ""},
    ConditionInfo{kActiveSqlTransaction, "25001", "active_sql_transaction", kPermanent,
                  "This cannot be done inside of a transaction that began before, or at its COMMIT.", ""},
    ConditionInfo{kReadOnlySqlTransaction, "25006", "read_only_sql_transaction", kRetryable,
                  "The transaction or the server is read-only.",
                  "The server is read-only: wait for the failover, or point the daemon to the primary."},
    ConditionInfo{kIdleInTransactionSessionTimeout, "25P03", "idle_in_transaction_session_timeout", kRetryable, "", ""},
    ConditionInfo{kInvalidSqlStatementName, "26000", "invalid_sql_statement_name", kRetryable, "", ""},
    ConditionInfo{kDependentObjectsStillExist, "2BP01", "dependent_objects_still_exist", kPermanent,
                  "Something reads the stream table, or depends on it.", ""},
    ConditionInfo{kInvalidTransactionTermination, "2D000", "invalid_transaction_termination", kPermanent, "", ""},
    ConditionInfo{kInvalidCatalogName, "3D000", "invalid_catalog_name", kPermanent, "", ""},
    ConditionInfo{kInvalidSchemaName, "3F000", "invalid_schema_name", kObsolete, "There is no schema of that name.",
                  ""},
    ConditionInfo{kTransactionRollback, "40000", "transaction_rollback", kRetryable, "", ""},
    ConditionInfo{kSerializationFailure, "40001", "serialization_failure", kRetryable,
                  "Another transaction changed what this one is about.", ""},
    ConditionInfo{kStatementCompletionUnknown, "40003", "statement_completion_unknown", kInDoubt, "",
                  "Nothing: it is tried again. If it keeps coming, look for transactions that write to it or lock its "
                  "sources for long."},
    ConditionInfo{kDeadlockDetected, "40P01", "deadlock_detected", kRetryable, "", ""},
    ConditionInfo{kSyntaxErrorOrAccessRuleViolation, "42000", "syntax_error_or_access_rule_violation", kPermanent, "",
                  ""},
    ConditionInfo{kInsufficientPrivilege, "42501", "insufficient_privilege", kPrivilege,
                  "The role may not do that, or its owner may not be trusted with it.", ""},
    ConditionInfo{kSyntaxError, "42601", "syntax_error", kPermanent, "A name is no name of SQL.", ""},
    ConditionInfo{kInvalidName, "42602", "invalid_name", kPermanent, "A name has too few or too many parts.", ""},
    ConditionInfo{kNameTooLong, "42622", "name_too_long", kPermanent, "A name is longer than PostgreSQL keeps.", ""},
    ConditionInfo{kDuplicateColumn, "42701", "duplicate_column", kPermanent, "", ""},
    ConditionInfo{kUndefinedColumn, "42703", "undefined_column", kObsolete, "There is no column of that name.", ""},
    ConditionInfo{kUndefinedObject, "42704", "undefined_object", kObsolete,
                  "There is no group, gate or role of that name.", ""},
    ConditionInfo{kDuplicateObject, "42710", "duplicate_object", kPermanent,
                  "It exists already, or is a member already.", ""},
    ConditionInfo{kDatatypeMismatch, "42804", "datatype_mismatch", kObsolete, "", ""},
    ConditionInfo{kWrongObjectType, "42809", "wrong_object_type", kPermanent,
                  "The relation is of a kind that this cannot be done with.", ""},
    ConditionInfo{kUndefinedFunction, "42883", "undefined_function", kObsolete, "", ""},
    ConditionInfo{kUndefinedTable, "42P01", "undefined_table", kObsolete,
                  "There is no relation or stream table of that name, or a source was dropped.", ""},
    ConditionInfo{kUndefinedParameter, "42P02", "undefined_parameter", kPermanent, "", ""},
    ConditionInfo{kDuplicateSchema, "42P06", "duplicate_schema", kPermanent,
                  "Schemas of pgtrickle's names are there, but no complete installation.", ""},
    ConditionInfo{kDuplicateTable, "42P07", "duplicate_table", kPermanent, "The name of the stream table is taken.",
                  ""},
    ConditionInfo{kInvalidColumnReference, "42P10", "invalid_column_reference", kPermanent, "", ""},
    ConditionInfo{kInvalidCursorDefinition, "42P11", "invalid_cursor_definition", kPermanent, "", ""},
    ConditionInfo{kInvalidTableDefinition, "42P16", "invalid_table_definition", kPermanent,
                  "The query has columns that no table, or not this table, can have.", ""},
    ConditionInfo{kInvalidObjectDefinition, "42P17", "invalid_object_definition", kPermanent,
                  "Stream tables would read each other in a circle that is not allowed.", ""},
    ConditionInfo{kIndeterminateCollation, "42P22", "indeterminate_collation", kObsolete, "", ""},
    ConditionInfo{kDiskFull, "53100", "disk_full", kRetryable, "", ""},
    ConditionInfo{kOutOfMemory, "53200", "out_of_memory", kRetryable, "", ""},
    ConditionInfo{kConfigurationLimitExceeded, "53400", "configuration_limit_exceeded", kPermanent, "",
                  "Free what the server is short of (disk, memory, connections); then it is tried again."},
    ConditionInfo{kProgramLimitExceeded, "54000", "program_limit_exceeded", kIndexTooLarge,
                  "A request is larger than the catalog takes.", ""},
    ConditionInfo{kStatementTooComplex, "54001", "statement_too_complex", kPermanent,
                  "The rounds of a cycle do not end within the limit, or a WITH RECURSIVE has more rows than "
                  "`pgtrickle.max_recursion_rows`.",
                  ""},
    ConditionInfo{kTooManyColumns, "54011", "too_many_columns", kPermanent,
                  "The query has more columns than a table can have.", ""},
    ConditionInfo{kObjectNotInPrerequisiteState, "55000", "object_not_in_prerequisite_state", kPermanent,
                  "The stream table, the group, the database or its daemon is not in a state in which this can be "
                  "done.",
                  ""},
    ConditionInfo{kObjectInUse, "55006", "object_in_use", kRetryable, "", ""},
    ConditionInfo{kLockNotAvailable, "55P03", "lock_not_available", kRetryable,
                  "A build waits for a lock, longer than others should wait behind it.",
                  "Nothing: it is tried again. If it keeps coming, look for long locks on its sources in pg_locks."},
    ConditionInfo{kQueryCanceled, "57014", "query_canceled", kRetryable, "A deadline of the daemon passed.",
                  "It was cancelled: raise statement_timeout for the daemon's role if that was the cause."},
    ConditionInfo{kRaiseException, "P0001", "raise_exception", kPermanent, "", ""},
    ConditionInfo{kNoDataFound, "P0002", "no_data_found", kPermanent, "A row that has to be there is not.", ""},
    ConditionInfo{kTooManyRows, "P0003", "too_many_rows", kPermanent, "", ""},
    ConditionInfo{kPaused, "TR001", "", kPermanent,
                  "The database is paused or being drained: the daemon's transaction does nothing.", ""},
    ConditionInfo{kNotTogether, "TR002", "", kPermanent,
                  "One of the ones that are refreshed together could not be: MESSAGE is the action.", ""},
    ConditionInfo{kTriedAndUndone, "TR003", "", kPermanent,
                  "Undoes what was done only to see what would happen; caught where it is raised.", ""},
    ConditionInfo{kWaitForBuild, "TR004", "", kPermanent,
                  "The daemon has to build it first: a refresh by hand waits for that.", ""},
    ConditionInfo{kInternalError, "XX000", "internal_error", kPermanent, "An invariant of the daemon is broken.", ""},
    ConditionInfo{kDataCorrupted, "XX001", "data_corrupted", kCorruption,
                  "The state of a stream table and its rows disagree.", ""},
    ConditionInfo{kIndexCorrupted, "XX002", "index_corrupted", kCorruption, "", ""},
};

template <typename Register, typename Key>
constexpr bool in_order(const Register& rows, Key key) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (static_cast<std::size_t>(key(rows[i])) != i) return false;
  }
  return true;
}
static_assert(in_order(kClasses, [](const auto& row) { return row.error_class; }));
static_assert(in_order(kConditions, [](const auto& row) { return row.condition; }));
static_assert(kClasses.size() == static_cast<std::size_t>(kPermanent) + 1);
static_assert(kConditions.size() == static_cast<std::size_t>(kIndexCorrupted) + 1);

const ErrorClassInfo& class_info(ErrorClass error_class) {
  return kClasses.at(static_cast<std::size_t>(error_class));
}

const ConditionInfo* condition_of(std::string_view sqlstate) {
  const auto* found =
      std::find_if(kConditions.begin(), kConditions.end(), [&](const auto& row) { return sqlstate == row.sqlstate; });
  return found == kConditions.end() ? nullptr : found;
}

const SqlstateClassInfo* class_of(std::string_view sqlstate) {
  const auto* found = std::find_if(kSqlstateClasses.begin(), kSqlstateClasses.end(),
                                   [&](const auto& row) { return sqlstate.starts_with(row.prefix); });
  return found == kSqlstateClasses.end() ? nullptr : found;
}

template <typename Prefixes = std::initializer_list<std::string_view>>
bool begins_with_any(std::string_view sqlstate, const Prefixes& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](auto prefix) { return sqlstate.starts_with(prefix); });
}

}  // namespace

std::span<const ErrorClassInfo> error_class_register() {
  return kClasses;
}

std::span<const ConditionInfo> condition_register() {
  return kConditions;
}

std::span<const SqlstateClassInfo> sqlstate_class_register() {
  return kSqlstateClasses;
}

std::string_view to_string(ErrorClass error_class) {
  return class_info(error_class).name;
}

const ConditionInfo& info(Condition condition) {
  return kConditions.at(static_cast<std::size_t>(condition));
}

std::string sqlstate_of(Condition condition) {
  return info(condition).sqlstate;
}

bool is_condition(std::string_view sqlstate, Condition condition) {
  return sqlstate == info(condition).sqlstate;
}

bool is_any_of(std::string_view sqlstate, std::initializer_list<Condition> conditions) {
  return std::any_of(conditions.begin(), conditions.end(), [&](Condition c) { return is_condition(sqlstate, c); });
}

ErrorClass classify_sqlstate(std::string_view sqlstate) {
  if (const auto* row = condition_of(sqlstate)) return row->error_class;
  if (const auto* row = class_of(sqlstate)) return row->error_class;
  return kPermanent;
}

std::string_view remedy_of(std::string_view sqlstate) {
  const ErrorClass error_class = classify_sqlstate(sqlstate);
  const auto* row = condition_of(sqlstate);
  if (row != nullptr && *row->remedy != '\0') return row->remedy;
  const auto* of_class = class_of(sqlstate);
  if (of_class != nullptr && of_class->error_class == error_class && *of_class->remedy != '\0') return of_class->remedy;
  return class_info(error_class).remedy;
}

bool is_conflict(std::string_view sqlstate) {
  return is_any_of(sqlstate, {kSerializationFailure, kDeadlockDetected});
}

bool is_of_circumstances(std::string_view sqlstate) {
  return sqlstate.empty() || begins_with_any(sqlstate, {"08", "40", "57P"});
}

bool is_signal(std::string_view sqlstate) {
  return sqlstate.starts_with("TR");
}

bool may_recompute_instead(std::string_view sqlstate) {
  return begins_with_any(sqlstate, {"0A", "21", "22", "42", "54"}) && !is_condition(sqlstate, kInsufficientPrivilege);
}

bool build_may_cure(std::string_view sqlstate) {
  return begins_with_any(sqlstate, kClassesThatABuildMayCure) && !is_condition(sqlstate, kInsufficientPrivilege);
}

bool is_unknown_name(std::string_view sqlstate) {
  return is_any_of(sqlstate, {kInvalidTextRepresentation, kUndefinedTable, kUndefinedObject, kUndefinedFunction,
                              kInvalidSchemaName, kInvalidName, kSyntaxError});
}

bool may_be_of_publication(std::string_view sqlstate) {
  return is_any_of(sqlstate, {kObjectNotInPrerequisiteState, kInvalidColumnReference});
}

}  // namespace pgtrickle
