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

/// libpqxx 6 does not pass the SQLSTATE on to some of its classes.
std::string sqlstate_of(const pqxx::sql_error& error) {
  if (!error.sqlstate().empty()) return error.sqlstate();
  if (dynamic_cast<const pqxx::insufficient_privilege*>(&error) != nullptr) return "42501";
  if (dynamic_cast<const pqxx::plpgsql_no_data_found*>(&error) != nullptr) return "P0002";
  if (dynamic_cast<const pqxx::plpgsql_too_many_rows*>(&error) != nullptr) return "P0003";
  if (dynamic_cast<const pqxx::plpgsql_error*>(&error) != nullptr) return "P0001";
  if (dynamic_cast<const pqxx::disk_full*>(&error) != nullptr) return "53100";
  if (dynamic_cast<const pqxx::out_of_memory*>(&error) != nullptr) return "53200";
  return {};
}

}  // namespace

ServerError server_error(const pqxx::sql_error& error) {
  const std::string text = error.what();
  ServerError result;
  result.sqlstate = sqlstate_of(error);
  result.message = trimmed(part(text, "ERROR"));
  if (result.message.empty()) result.message = trimmed(part(text, "FATAL"));
  if (result.message.empty()) {  // the severity is in the language of the server
    const auto colon = text.find(":  ");
    result.message = trimmed(colon < text.find('\n') ? part(text, text.substr(0, colon)) : text);
  }
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
