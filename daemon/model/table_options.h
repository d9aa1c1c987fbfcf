// What create_stream_table(), create_or_replace_stream_table() and alter_stream_table() take besides name and query.
// The signatures, their comments, and how options are checked and kept are made from the register
// (sql/49_table_options.sql), and so are the flags of `pgtrickle create` and `pgtrickle alter` and a table in
// docs/SQL_REFERENCE.md. Pure.
#pragma once

#include <string>
#include <vector>

namespace pgtrickle {

enum class OptionKind {
  kArgument,       // the functions themselves look at it
  kChoice,         // one of some words; 'default' takes it back
  kNumber,         // a number or an interval; one of them takes it back
  kFlag,           // a boolean
  kCompatibility,  // for callers who know it from elsewhere: what asks for what is not there is refused
};

struct TableOption {
  std::string name;       // of the parameter, and of the column of pgt_stream_tables that keeps it
  std::string type;       // as SQL
  std::string initial{};  // as SQL: DEFAULT when a stream table is created
  OptionKind kind = OptionKind::kArgument;
  std::string good{};           // choice: its words; number: a condition on $; compatibility: when it is refused
  std::string unset{};          // choice: what is kept for 'default', as SQL; others: what takes it back, as SQL
  std::string hint{};           // of the error if it is not good
  std::string refused{};        // compatibility: what the error says is not supported
  std::string meaning{};        // when it is created
  std::string alter_meaning{};  // what is different in alter_stream_table(); empty: nothing
  int alter_position = 0;       // among the parameters of alter_stream_table(), which callers by position know; 0: none
  bool at_creation = true;      // a parameter of the functions that create
  std::string flag{};           // of the command line tool; empty: none
  std::string flag_help{};
};

/// In the order of the parameters when a stream table is created. A new one is the last in both orders.
[[nodiscard]] const std::vector<TableOption>& table_option_register();
[[nodiscard]] const TableOption& table_option(const std::string& name);

/// sql/49_table_options.sql
[[nodiscard]] std::string table_option_sql();

}  // namespace pgtrickle
