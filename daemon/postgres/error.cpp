#include "postgres/error.h"

#include <regex>
#include <utility>

namespace pgtrickle::postgres {
namespace {

Error made(ErrorOrigin origin, Condition condition, std::string message) {
  Error error;
  error.origin = origin;
  error.sqlstate = sqlstate_of(condition);
  error.message = std::move(message);
  return error;
}

}  // namespace

ErrorClass Error::classify() const {
  if (in_doubt) return ErrorClass::kInDoubt;
  if (of_publication) return ErrorClass::kRetryable;  // it is given one, or the publication goes
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
    case ErrorOrigin::kOurs:
      break;
  }
  return classify_sqlstate(sqlstate);
}

bool Error::is_passing() const {
  const ErrorClass error_class = classify();
  return error_class == ErrorClass::kRetryable || error_class == ErrorClass::kInDoubt;
}

bool Error::is_concurrent_ddl() const {
  return is(Condition::kInternalError) && message.find("concurrently updated") != std::string::npos;
}

std::string Error::explained() const {
  return detail.empty() ? message : message + " (" + detail + ")";
}

std::string Error::text() const {
  std::string out = sqlstate + ": " + explained();
  for (char& c : out) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return out;
}

Error connection_error(std::string message) {
  return made(ErrorOrigin::kConnection, Condition::kConnectionFailure, std::move(message));
}

Error connecting_error(std::string message) {
  return made(ErrorOrigin::kConnection, Condition::kSqlclientUnableToEstablishConnection, std::move(message));
}

Error timeout_error(std::string what) {
  return made(ErrorOrigin::kTimeout, Condition::kQueryCanceled, "timed out: " + std::move(what));
}

Error canceled_error(std::string what) {
  return made(ErrorOrigin::kCanceled, Condition::kQueryCanceled, "cancelled: " + std::move(what));
}

Error result_error(std::string message) {
  return made(ErrorOrigin::kResult, Condition::kInternalError, std::move(message));
}

Error our_error(Condition condition, std::string message, std::string hint) {
  Error error = made(ErrorOrigin::kOurs, condition, std::move(message));
  error.hint = std::move(hint);
  return error;
}

void explain_search_path(Error& error) {
  const bool of_name = error.is(Condition::kUndefinedFunction) || error.is(Condition::kUndefinedTable) ||
                       error.is(Condition::kUndefinedObject);
  if (!of_name) return;
  // The innermost function comes first. One of ours calls them all.
  static const std::regex kFunction(R"re(SQL function "([^"]+)"|PL/pgSQL function ([^ (]+)\()re");
  std::smatch found;
  if (!std::regex_search(error.context, found, kFunction)) return;
  const std::string name = found[1].matched ? found[1] : found[2];
  if (name.rfind("pgtrickle", 0) == 0) return;
  error.hint = "The body of function " + name +
               " finds this name by the search_path, which is pg_catalog here. Write the schema into the body, or give "
               "the function a path of its own: ALTER FUNCTION " +
               name + " SET search_path = ...";
}

std::string place_in(std::string_view error_text) {
  constexpr std::string_view kLine = "\nLINE ";
  auto begin = error_text.find(kLine);
  if (begin == std::string_view::npos) return {};
  ++begin;
  const auto caret = error_text.find('\n', begin);
  if (caret == std::string_view::npos) return {};
  return std::string(error_text.substr(begin, error_text.find('\n', caret + 1) - begin));
}

}  // namespace pgtrickle::postgres
