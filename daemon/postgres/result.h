// Result<T>: a value or the Error that prevented it (C++20 has no std::expected). For expected outcomes only; broken
// invariants are exceptions, and so is asking a Result for the side that it does not hold.
#pragma once

#include <stdexcept>
#include <utility>
#include <variant>

#include "postgres/error.h"

namespace pgtrickle::postgres {

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : data_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit on purpose
  Result(Error error) : data_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit on purpose

  [[nodiscard]] bool ok() const { return data_.index() == 0; }
  explicit operator bool() const { return ok(); }

  [[nodiscard]] T& value() & { return checked(*this); }
  [[nodiscard]] const T& value() const& { return checked(*this); }
  [[nodiscard]] T&& value() && { return std::move(checked(*this)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  [[nodiscard]] const Error& error() const {
    if (ok()) throw std::logic_error("Result::error() of a success");
    return std::get<1>(data_);
  }

 private:
  template <class Self>
  static auto& checked(Self& self) {
    if (!self.ok()) throw std::logic_error("Result::value() of an error: " + std::get<1>(self.data_).text());
    return std::get<0>(self.data_);
  }

  std::variant<T, Error> data_;
};

struct Unit {};

template <>
class [[nodiscard]] Result<void> : public Result<Unit> {
 public:
  Result() : Result<Unit>(Unit{}) {}
  Result(Error error) : Result<Unit>(std::move(error)) {}  // NOLINT: implicit on purpose
};

}  // namespace pgtrickle::postgres
