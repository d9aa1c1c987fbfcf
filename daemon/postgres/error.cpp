#include "postgres/error.h"

#include <algorithm>
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

namespace {

/// The name up to `end` behind `prefix` in a line that begins so. What a line says may have any length.
std::string_view named_in(std::string_view line, std::string_view prefix, char end) {
  constexpr std::size_t kMostBytes = 300;  // schema and name, quoted
  if (!line.starts_with(prefix)) return {};
  const auto name = line.substr(prefix.size(), kMostBytes);
  return name.substr(0, std::min(name.find(end), name.size()));
}

/// The function of a user that was innermost: its line of CONTEXT comes first. One of ours calls them all.
std::string_view innermost_function(std::string_view context) {
  constexpr int kMostLines = 100;
  for (int n = 0; n < kMostLines && !context.empty(); ++n) {
    const auto line = context.substr(0, context.find('\n'));
    for (const auto& [prefix, end] : {std::pair{"SQL function \"", '"'}, std::pair{"PL/pgSQL function ", '('}}) {
      const auto name = named_in(line, prefix, end);
      if (!name.empty()) return name.starts_with("pgtrickle") ? std::string_view{} : name;
    }
    context.remove_prefix(std::min(line.size() + 1, context.size()));
  }
  return {};
}

/// function s.f(integer) does not exist, relation "s.t" does not exist: what has a schema is looked for there.
bool names_schema(std::string_view message) {
  const auto begin = message.find(' ');
  if (begin == std::string_view::npos) return false;
  const auto name = message.substr(begin + 1, message.find_first_of("( ", begin + 1) - begin - 1);
  return name.find('.') != std::string_view::npos;
}

}  // namespace

void explain_search_path(Error& error) {
  const bool of_name = error.is(Condition::kUndefinedFunction) || error.is(Condition::kUndefinedTable) ||
                       error.is(Condition::kUndefinedObject);
  if (!of_name || names_schema(error.message)) return;
  const std::string name(innermost_function(error.context));
  if (name.empty()) return;
  const std::string hint = "If the body of function " + name +
                           " finds this name by the search_path: that is pg_catalog here, unless the function sets "
                           "its own. Write the schema into the body, or ALTER FUNCTION " +
                           name + " SET search_path = ...";
  error.hint = error.hint.empty() ? hint : hint + " " + error.hint;
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
