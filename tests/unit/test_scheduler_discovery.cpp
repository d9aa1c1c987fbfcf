// Which databases are to be served, by what the configuration lists and what was found.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "postgres/conninfo.h"
#include "scheduler/discovery.h"

namespace pgtrickle::scheduler {
namespace {

using config::Database;
using ::testing::ElementsAre;

Database listed(const std::string& name, const std::string& dsn) {
  Database out;
  out.name = name;
  out.dsn = dsn;
  return out;
}

Database entry(const std::string& name, const std::string& dsn) {
  Database out = listed(name, dsn);
  out.discover = true;
  out.pool_size = 3;
  out.workers = 2;
  return out;
}

std::vector<std::string> names(const std::vector<Database>& databases) {
  std::vector<std::string> out;
  for (const Database& database : databases) out.push_back(database.name);
  return out;
}

TEST(FoundDatabases, AnswersAndAbsenceChangeThem) {
  FoundDatabases found;
  EXPECT_FALSE(found.exist({"a", "b"})) << "existing is not having pgtrickle";
  EXPECT_TRUE(found.answered("a", true));
  EXPECT_FALSE(found.answered("a", true));
  EXPECT_FALSE(found.answered("b", false));
  EXPECT_TRUE(found.answered("b", true)) << "installed later";
  EXPECT_TRUE(found.answered("b", false)) << "uninstalled";
  EXPECT_FALSE(found.exist({"a", "b"}));
  EXPECT_THAT(found.names(), ElementsAre("a"));
  EXPECT_TRUE(found.exist({"b"})) << "dropped";
  EXPECT_TRUE(found.names().empty());
}

TEST(DatabasesToServe, AnEntryIsReplacedByWhatWasFoundForIt) {
  const std::vector<Database> configured{entry("", "host=h port=1 dbname=postgres user=u password=x")};
  EXPECT_TRUE(databases_to_serve(configured, {}).empty());
  const auto served = databases_to_serve(configured, {{"", {"shop", "it's"}}});
  ASSERT_THAT(names(served), ElementsAre("it's", "shop"));
  EXPECT_EQ(postgres::conninfo_target(served[0].dsn), postgres::conninfo_target("host=h port=1 dbname='it\\'s'"));
  EXPECT_NE(served[0].dsn.find("password='x'"), std::string::npos);
  EXPECT_EQ(served[1].pool_size, 3);
  EXPECT_EQ(served[1].workers, 2);
  EXPECT_FALSE(served[1].discover);
}

TEST(DatabasesToServe, NamesOfEntriesArePrefixes) {
  const std::vector<Database> configured{entry("east", "host=e"), entry("", "host=w"), listed("x", "host=x dbname=x")};
  EXPECT_THAT(names(databases_to_serve(configured, {{"east", {"shop"}}, {"", {"shop"}}, {"gone", {"y"}}})),
              ElementsAre("x", "east/shop", "shop"));
}

TEST(DatabasesToServe, WhatIsListedIsNotServedAgain) {
  const std::vector<Database> configured{entry("", "host=h user=admin"), listed("main", "postgresql://me@h/shop")};
  const auto served = databases_to_serve(configured, {{"", {"other", "shop"}}});
  EXPECT_THAT(names(served), ElementsAre("main", "other"));
  EXPECT_EQ(served[0].dsn, "postgresql://me@h/shop") << "as it is listed";
}

TEST(DatabasesToServe, TheSameNameOnAnotherServerGetsANumber) {
  const std::vector<Database> configured{listed("shop", "host=g dbname=shop"), entry("", "host=h")};
  EXPECT_THAT(names(databases_to_serve(configured, {{"", {"shop", "a"}}})), ElementsAre("shop", "a", "shop#2"));
}

TEST(DatabasesToServe, TwoEntriesOfOneServerServeADatabaseOnce) {
  const std::vector<Database> configured{entry("", "host=h dbname=postgres"), entry("b", "host=h dbname=template1")};
  EXPECT_THAT(names(databases_to_serve(configured, {{"", {"shop"}}, {"b", {"shop"}}})), ElementsAre("shop"));
}

TEST(ServiceChanges, StartsAndEndsOnlyWhatDiffers) {
  const Database a = listed("a", "dbname=a"), b = listed("b", "dbname=b"), c = listed("c", "dbname=c");
  auto changes = service_changes({a, b}, {c, b});
  EXPECT_THAT(changes.end, ElementsAre(0));
  EXPECT_THAT(changes.start, ElementsAre(0));
  changes = service_changes({a, b}, {b, a});
  EXPECT_TRUE(changes.end.empty() && changes.start.empty()) << "the order means nothing";
  Database larger = b;
  larger.pool_size = 9;
  changes = service_changes({a, b}, {a, larger});
  EXPECT_THAT(changes.end, ElementsAre(1));
  EXPECT_THAT(changes.start, ElementsAre(1));
  Database moved = a;
  moved.dsn = "host=h dbname=a";
  changes = service_changes({a}, {moved});
  EXPECT_THAT(changes.end, ElementsAre(0));
  EXPECT_THAT(changes.start, ElementsAre(0));
}

}  // namespace
}  // namespace pgtrickle::scheduler
