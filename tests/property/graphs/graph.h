// One random case: base tables, a graph of stream tables over them, what writers do, and what happens to the daemon and
// to stream tables meanwhile. All of it is made from the seed; when things happen relative to each other is not.
//
// Every relation has the columns k int and v bigint, base tables also a primary key id: so any can be read by any
// query.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace pgt::graphs {

struct Table {
  std::string name;
  std::string query;
  std::set<std::size_t> bases;   // read directly, by number
  std::set<std::size_t> tables;  // the same; all come before
  std::string schedule;
  std::size_t component = 0;
  bool immediate = false;  // at the beginning
};

/// Stream tables that read each other, directly or not, or are connected by the refresh group. May be empty.
struct Component {
  std::vector<std::size_t> members;  // ascending, which is topological
  bool in_step = false;              // all members have the same schedule, and none is ever IMMEDIATE
};

struct Transaction {
  struct Statement {
    int pause_ms = 0;  // before it
    std::string sql;
  };
  std::vector<Statement> statements;  // BEGIN and COMMIT or ROLLBACK included
};

struct Event {
  enum class Kind {
    kKill,       // kill -9 of the daemon, and a new one
    kTerminate,  // SIGTERM, and a new one
    kPause,      // of a stream table; resumed after `lasts_ms`
    kAlter,      // another schedule for the stream table, or for its whole component if that is in step
    kRecreate,   // drop and create, of a stream table that no other reads and that is in no group
    kGate,       // of a base table; its readers, also indirect ones, wait
    kHalt,       // the daemon refreshes nothing
    kMode,       // DIFFERENTIAL becomes IMMEDIATE, or the other way round
  };
  Kind kind = Kind::kKill;
  int at_ms = 0;  // since the writers began
  int lasts_ms = 0;
  std::size_t table = 0;  // or the base table
  std::string schedule;
  bool immediate = false;  // the new mode
};

/// Is it something that happens to one stream table?
[[nodiscard]] inline bool concerns_table(const Event& event) {
  return event.kind == Event::Kind::kPause || event.kind == Event::Kind::kAlter ||
         event.kind == Event::Kind::kRecreate || event.kind == Event::Kind::kMode;
}

struct Case {
  std::uint64_t seed = 0;
  std::size_t bases = 0;
  std::vector<std::string> setup;
  std::vector<Table> tables;
  std::vector<Component> components;
  std::set<std::size_t> group;  // a refresh group, if there are two or more
  std::vector<std::vector<Transaction>> writers;
  std::vector<Event> events;  // in the order of at_ms
};

/// `mixed`: some of the stream tables are IMMEDIATE, or become it.
[[nodiscard]] Case random_case(std::uint64_t seed, bool mixed = false);

[[nodiscard]] std::string base_name(std::size_t number);
[[nodiscard]] std::string to_string(const Event& event, const Case& from);
[[nodiscard]] std::string create_sql(const Table& table);

/// Creates the refresh group; empty if there is none.
[[nodiscard]] std::string group_sql(const Case& from);

/// Everything that the case does, as SQL with comments.
[[nodiscard]] std::string to_sql(const Case& from);

/// The case without one stream table that no other reads.
[[nodiscard]] Case without_table(const Case& from, std::size_t table);

/// Stream tables that read `table` directly.
[[nodiscard]] std::vector<std::size_t> readers(const Case& from, std::size_t table);

/// Stream tables that read the base table, directly or not.
[[nodiscard]] std::set<std::size_t> readers_of_base(const Case& from, std::size_t base);

}  // namespace pgt::graphs
