// The oracle: a stream table must equal its defining query as a multiset, at one snapshot.
//
//   EXPECT_TRUE(equals_query(session, "my_stream_table"));
//
// One statement compares both ways with EXCEPT ALL; columns whose type has no equality (json, xml, point, ...) are
// compared byte for byte. On failure the message lists up to 20 differing rows.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "support/database.h"

namespace pgt::test {

/// Compares the stream table `name` with the definition in pgtrickle's catalog.
::testing::AssertionResult equals_query(Session& session, const std::string& name);

/// Compares a table with any query that has the same columns.
::testing::AssertionResult equals_query(Session& session, const std::string& name, const std::string& query);

/// equals_query() as an expectation.
void expect_equal_to_query(Session& session, const std::string& name);

}  // namespace pgt::test
