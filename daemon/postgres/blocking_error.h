// An exception of libpqxx as an Error. libpqxx 6 keeps only the text of an error, and of some not even the SQLSTATE:
// that is known from the class of the exception then.
#pragma once

#include <pqxx/pqxx>

#include "postgres/error.h"

namespace pgtrickle::postgres {

[[nodiscard]] Error error_of(const pqxx::failure& failure);

}  // namespace pgtrickle::postgres
