// What is compiled, and for whom: the input of compile() beside the catalog.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "compiler/catalog.h"
#include "compiler/limits.h"
#include "model/ids.h"

namespace pgtrickle::compiler {

struct TargetColumn {
  std::string name;
  TypeInfo type;
  std::string type_sql;  // format_type with its modifier
};

struct CompileRequest {
  TableId id = 0;      // names the generated objects
  std::string query;   // canonical: pg_get_viewdef under an empty search_path
  std::string schema;  // of the stream table
  std::string name;
  std::string owner;
  std::string admin;        // the role that owns schema pgtrickle
  std::string worker_role;  // of the sessions that refresh; empty: there are none
  std::vector<TargetColumn> columns;
  std::vector<std::pair<std::string, std::string>> settings;  // recorded at creation; the programs run under them
  std::vector<std::pair<std::uint32_t, SourceId>> log_ids;    // relid -> its change log
  std::string encoding;                                       // of the database
  bool force_full = false;                                    // refresh_mode FULL, or full_reason says why
  std::string full_reason;
  bool immediate = false;  // refresh_mode IMMEDIATE: it is maintained by triggers, too
  Limits limits;
  int server_version = 0;                                             // as server_version_num
  std::vector<std::pair<std::uint32_t, std::string>> event_triggers;  // OID and xmin of the ones that watch DDL
  bool user_keys = false;  // users have made unique indexes or exclusion constraints on the stream table
  bool trace = false;      // Program::trace says what the tree was after each pass
  bool own_room = false;   // they have given it a fillfactor
  bool wide_keys = false;  // an index on the key would be too large: identify rows by hash only
};

}  // namespace pgtrickle::compiler
