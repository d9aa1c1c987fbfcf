// Arrays of numbers as parameters of statements, in PostgreSQL's text form: {1,2}. Needs no libpq.
#pragma once

#include <string>

namespace pgtrickle::postgres {

template <class Numbers>
[[nodiscard]] std::string array_of(const Numbers& numbers) {
  std::string out = "{";
  for (const auto number : numbers) out += (out.size() > 1 ? "," : "") + std::to_string(number);
  return out + "}";
}

}  // namespace pgtrickle::postgres
