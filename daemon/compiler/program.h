// The compiled artefact: SQL text that creates the functions, state tables and indexes of one stream table, plus what
// the catalog records about it. docs/ARCHITECTURE.md section 3 is the contract of the generated functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pgtrickle::compiler {

/// Changed rows up to which they are few: a program applies them with one plan, made for few, whichever they are.
constexpr std::int64_t kFewRows = 200;

struct SourceUse {
  std::uint32_t relid = 0;
  std::vector<std::int16_t> columns;      // attnums the program reads, ascending
  std::vector<std::string> column_names;  // parallel to columns
  bool captured = false;                  // needs a change log
};

struct Program {
  bool differential = false;
  std::string reason;                  // why not, if not differential
  std::string hint;                    // what to do about it; may be empty
  std::string definite_query;          // if ties had to be broken: the query with the order that does; else empty
  std::vector<SourceUse> sources;      // base relations, views resolved
  std::vector<std::string> owner_ddl;  // run as the stream table's owner, in order
  std::vector<std::string> table_ddl;  // likewise, on the stream table itself: its key, its indexes
  std::vector<std::string> admin_ddl;  // then run as the admin role
  bool follows_time = false;           // rows come and go as time passes, with no change in any source
  bool immediate = false;              // it is maintained in the transactions of its writers
  std::vector<std::uint32_t> immediate_sources;  // IMMEDIATE: the relations that get triggers; changed_<id>_<k> is for
                                                 // the k-th, from 1
  std::string non_monotone;                      // what keeps it out of cycles; empty: it is monotone
  std::string plan;                              // for people: operators, nodes, strategies, cost classes
  std::string trace;                             // for developers, if asked for: the operator tree after each pass
};

}  // namespace pgtrickle::compiler
