// The compiler: canonical query text in, program out. Pure: no I/O except through the TypeOracle passed in; threads may
// compile at the same time. Pipeline: parse -> analyze -> normalize -> cut -> generate (docs/ARCHITECTURE.md).
//
// compile() returns a Program that is either differential, or a recompute-and-diff program with the reason; it throws
// Rejected for a query that no mode accepts, and std::logic_error if the compiler broke an invariant of its own.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "compiler/catalog.h"
#include "compiler/error.h"
#include "compiler/limits.h"
#include "compiler/program.h"

namespace pgtrickle::compiler {

/// What a query mentions, so that the catalog can be loaded. Views have to be followed by the caller.
struct References {
  std::vector<std::pair<std::string, std::string>> relations;  // (schema, name); schema empty if not qualified
  std::vector<FunctionKey> functions;
  std::vector<FunctionKey> operators;  // operators written OPERATOR(schema.name)
};
References references(const std::string& query);

/// Throws Rejected if a query of so many bytes is longer than the limit; compile() does that too.
void check_size(std::int64_t bytes, const Limits& limits);

/// Throws Rejected if the query is nested deeper than the limit; compile() does that too.
void check_nesting(const std::string& query, const Limits& limits);

struct TargetColumn {
  std::string name;
  TypeInfo type;
  std::string type_sql;  // format_type with its modifier
};

struct CompileRequest {
  std::int64_t id = 0;  // pgt_id: names the generated objects
  std::string query;    // canonical: pg_get_viewdef under an empty search_path
  std::string schema;   // of the stream table
  std::string name;
  std::string owner;
  std::string admin;        // the role that owns schema pgtrickle
  std::string worker_role;  // of the sessions that refresh; empty: there are none
  std::vector<TargetColumn> columns;
  std::vector<std::pair<std::string, std::string>> settings;    // recorded at creation; the programs run under them
  std::vector<std::pair<std::uint32_t, std::int64_t>> log_ids;  // relid -> source_id of its change log
  std::string encoding;                                         // of the database
  bool force_full = false;                                      // refresh_mode FULL, or full_reason says why
  std::string full_reason;
  Limits limits;
  int server_version = 0;                                             // as server_version_num
  std::vector<std::pair<std::uint32_t, std::string>> event_triggers;  // OID and xmin of those that watch DDL
  bool user_keys = false;  // users have made unique indexes or exclusion constraints on the stream table
  bool wide_keys = false;  // an index on the key would be too large: identify rows by hash only
};

/// Which sources a differential program would read, before their logs exist (log ids are not needed here).
Program compile(const CompileRequest& request, const Catalog& catalog, TypeOracle& oracle);

}  // namespace pgtrickle::compiler
