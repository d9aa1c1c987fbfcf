#include "postgres/blocking_error.h"

#include <algorithm>

#include "postgres/conninfo.h"

namespace pgtrickle::postgres {
namespace {

template <typename Exception>
bool is_a(const pqxx::failure& failure) {
  return dynamic_cast<const Exception*>(&failure) != nullptr;
}

std::string sqlstate_in(const pqxx::failure& failure) {
  const auto* error = dynamic_cast<const pqxx::sql_error*>(&failure);
  if (error != nullptr && !error->sqlstate().empty()) return error->sqlstate();
  if (is_a<pqxx::insufficient_privilege>(failure)) return sqlstate_of(Condition::kInsufficientPrivilege);
  if (is_a<pqxx::plpgsql_no_data_found>(failure)) return sqlstate_of(Condition::kNoDataFound);
  if (is_a<pqxx::plpgsql_too_many_rows>(failure)) return sqlstate_of(Condition::kTooManyRows);
  if (is_a<pqxx::plpgsql_error>(failure)) return sqlstate_of(Condition::kRaiseException);
  if (is_a<pqxx::disk_full>(failure)) return sqlstate_of(Condition::kDiskFull);
  if (is_a<pqxx::out_of_memory>(failure)) return sqlstate_of(Condition::kOutOfMemory);
  if (is_a<pqxx::serialization_failure>(failure)) return sqlstate_of(Condition::kSerializationFailure);
  if (is_a<pqxx::deadlock_detected>(failure)) return sqlstate_of(Condition::kDeadlockDetected);
  if (is_a<pqxx::statement_completion_unknown>(failure)) return sqlstate_of(Condition::kStatementCompletionUnknown);
  if (is_a<pqxx::transaction_rollback>(failure)) return sqlstate_of(Condition::kTransactionRollback);
  return {};
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

/// The text after "label:  " up to the next line that starts with another label.
std::string part(const std::string& text, const std::string& label) {
  std::size_t at = text.rfind(label + ":  ", 0) == 0 ? 0 : text.find("\n" + label + ":  ");
  if (at == std::string::npos) return {};
  at = text.find(":  ", at) + 3;
  std::size_t end = text.size();
  for (const char* next : {"\nDETAIL:  ", "\nHINT:  ", "\nCONTEXT:  ", "\nLINE ", "\nQUERY:  "})
    end = std::min(end, text.find(next, at));
  return trimmed(text.substr(at, end - at));
}

/// The severity in front of it is in the language of the server.
std::string message_in(const std::string& text) {
  const auto colon = text.find(":  ");
  return colon < text.find('\n') ? part(text, text.substr(0, colon)) : trimmed(text);
}

}  // namespace

Error error_of(const pqxx::failure& failure) {
  const std::string text = failure.what();
  Error error;
  error.sqlstate = sqlstate_in(failure);
  if (error.sqlstate.empty()) {  // libpq or libpqxx made it, and the server said nothing
    error = connection_error(redact_text(trimmed(text)));
    error.in_doubt = is_a<pqxx::in_doubt_error>(failure);
    return error;
  }
  error.message = message_in(text);
  error.detail = part(text, "DETAIL");
  error.hint = part(text, "HINT");
  error.context = part(text, "CONTEXT");
  error.place = place_in(text);
  explain_search_path(error);
  return error;
}

}  // namespace pgtrickle::postgres
