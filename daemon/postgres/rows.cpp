#include "postgres/rows.h"

#include <libpq-fe.h>

#include <cstdlib>

namespace pgtrickle::postgres {

std::size_t Rows::size() const {
  return result_ ? static_cast<std::size_t>(PQntuples(result_.get())) : 0;
}

std::int64_t Rows::affected() const {
  return result_ ? std::strtoll(PQcmdTuples(result_.get()), nullptr, 10) : 0;
}

std::optional<std::size_t> Rows::column(std::string_view name) const {
  const int columns = result_ ? PQnfields(result_.get()) : 0;
  for (int i = 0; i < columns; ++i) {
    if (name == PQfname(result_.get(), i)) return static_cast<std::size_t>(i);
  }
  return std::nullopt;
}

std::optional<std::string_view> Rows::text(std::size_t row, std::size_t column) const {
  if (row >= size() || column >= static_cast<std::size_t>(PQnfields(result_.get()))) {
    throw std::out_of_range("Rows::text: no such cell");
  }
  const int r = static_cast<int>(row);
  const int c = static_cast<int>(column);
  if (PQgetisnull(result_.get(), r, c) != 0) return std::nullopt;
  return std::string_view(PQgetvalue(result_.get(), r, c), static_cast<std::size_t>(PQgetlength(result_.get(), r, c)));
}

std::optional<std::string_view> RowReader::find(std::string_view column) {
  if (row_ >= rows_.size()) {
    fail(column, "is missing: the result has no such row");
    return std::nullopt;
  }
  const auto index = rows_.column(column);
  if (!index) {
    fail(column, "is missing");
    return std::nullopt;
  }
  return rows_.text(row_, *index);
}

void RowReader::fail(std::string_view column, std::string_view problem) {
  if (!error_) error_ = result_error("column \"" + std::string(column) + "\" of the result " + std::string(problem));
}

}  // namespace pgtrickle::postgres
