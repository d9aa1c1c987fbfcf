// The rows of one result, read by column name with a check of every conversion. A Rows shares the result's memory with
// its copies; the texts it returns as string_view live as long as any of them.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "postgres/result.h"

struct pg_result;

namespace pgtrickle::postgres {

class Rows {
 public:
  Rows() = default;
  explicit Rows(std::shared_ptr<pg_result> result) : result_(std::move(result)) {}

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] bool empty() const { return size() == 0; }
  /// Rows that an INSERT, UPDATE or DELETE touched; 0 for other statements.
  [[nodiscard]] std::int64_t affected() const;
  [[nodiscard]] std::optional<std::size_t> column(std::string_view name) const;
  /// nullopt for NULL. Precondition: row < size() and column exists.
  [[nodiscard]] std::optional<std::string_view> text(std::size_t row, std::size_t column) const;

 private:
  std::shared_ptr<pg_result> result_;
};

/// Reads the cells of one row and remembers the first error, so that a whole row is read and then checked once:
///   RowReader row(rows, 0); item.id = row.get<std::int64_t>("id"); ... if (row.error()) return *row.error();
/// Types: bool, integers, floating point, std::string, and std::optional of these, without which NULL is an error.
class RowReader {
 public:
  RowReader(const Rows& rows, std::size_t row) : rows_(rows), row_(row) {}

  template <class T>
  T get(std::string_view column) {
    if constexpr (is_optional<T>::value) {
      const auto cell = find(column);
      if (!cell) return std::nullopt;
      return convert<typename T::value_type>(column, *cell);
    } else {
      const auto cell = find(column);
      if (!cell) {
        fail(column, "is NULL");
        return T{};
      }
      return convert<T>(column, *cell);
    }
  }

  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  template <class T>
  struct is_optional : std::false_type {};
  template <class T>
  struct is_optional<std::optional<T>> : std::true_type {};

  template <class T>
  T convert(std::string_view column, std::string_view cell) {
    if constexpr (std::is_same_v<T, std::string>) {
      return std::string(cell);
    } else if constexpr (std::is_same_v<T, bool>) {
      if (cell != "t" && cell != "f") fail(column, "is not a boolean");
      return cell == "t";
    } else {
      static_assert(std::is_arithmetic_v<T>);
      T value{};
      const auto [end, status] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
      if (status != std::errc{} || end != cell.data() + cell.size()) fail(column, "is not a number in range");
      return value;
    }
  }

  std::optional<std::string_view> find(std::string_view column);
  void fail(std::string_view column, std::string_view problem);

  Rows rows_;
  std::size_t row_;
  std::optional<Error> error_;
};

}  // namespace pgtrickle::postgres
