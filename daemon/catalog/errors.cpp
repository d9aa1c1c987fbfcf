#include "catalog/errors.h"

namespace pgtrickle::catalog {

namespace {

/// The text after "label:  " up to the next line that starts with another label.
std::string part(const std::string& text, const std::string& label) {
  std::size_t at = text.rfind(label + ":  ", 0) == 0 ? 0 : text.find("\n" + label + ":  ");
  if (at == std::string::npos) return {};
  at = text.find(":  ", at) + 3;
  std::size_t end = text.size();
  for (const char* next : {"\nDETAIL:  ", "\nHINT:  ", "\nCONTEXT:  ", "\nLINE ", "\nQUERY:  "})
    end = std::min(end, text.find(next, at));
  return text.substr(at, end - at);
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

}  // namespace

ServerError server_error(const pqxx::sql_error& error) {
  const std::string text = error.what();
  ServerError result;
  result.sqlstate = error.sqlstate();
  result.message = trimmed(part(text, "ERROR"));
  if (result.message.empty()) result.message = trimmed(part(text, "FATAL"));
  if (result.message.empty()) result.message = trimmed(text);
  result.detail = trimmed(part(text, "DETAIL"));
  result.hint = trimmed(part(text, "HINT"));
  return result;
}

bool is_passing(const std::string& sqlstate) {
  return sqlstate.empty() || sqlstate.rfind("08", 0) == 0 || sqlstate.rfind("57P", 0) == 0 ||
         sqlstate.rfind("53", 0) == 0 || sqlstate == "40001" || sqlstate == "40P01" || sqlstate == "55P03" ||
         sqlstate == "57014" || sqlstate == "25P03";
}

}  // namespace pgtrickle::catalog
