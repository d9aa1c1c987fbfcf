#include "model/table_options.h"

#include <algorithm>
#include <stdexcept>

#include "model/agreements.h"

namespace pgtrickle {
namespace {

std::vector<TableOption> make_register() {
  const std::string sensitivity = std::to_string(agreements::kFuseSensitivity);
  using enum OptionKind;
  return {
      {.name = "schedule",
       .type = "text",
       .initial = "'calculated'",
       .kind = kArgument,
       .unset = "'default'",
       .meaning =
           "'calculated' (as often as the stream tables that read it need); how old the result may get: '250 ms', "
           "'1s', '5m', '1h30m' (10 ms to 365 days); 'continuous' or 'continuous 50 ms' (when something changed, at "
           "most once in that time); cron: '0 3 * * MON-FRI', '@hourly', with 'TZ=Europe/Berlin ' in front in that "
           "time zone, otherwise in UTC.",
       .alter_position = 1,
       .flag = "--schedule",
       .flag_help = "'calculated', '1s', 'continuous' or cron: '0 3 * * *'"},
      {.name = "refresh_mode",
       .type = "text",
       .initial = "'AUTO'",
       .kind = kArgument,
       .unset = "'default'",
       .meaning =
           "AUTO (apply changes where possible, otherwise recompute and say why), DIFFERENTIAL (apply changes, or "
           "fail), FULL (recompute), IMMEDIATE (apply changes in the transaction that makes them, or fail: who "
           "writes reads the result at once, and waits for other writers of what it reads until they commit; "
           "schedule, fuse, gates and watermarks do not matter; no daemon is needed once it is built; needs the "
           "TRIGGER privilege on every source; while it is paused it is not maintained, and it is rebuilt when it "
           "is resumed).",
       .alter_meaning = "another mode makes the daemon compile and initialise it again.",
       .alter_position = 2,
       .flag = "--mode",
       .flag_help = "AUTO, DIFFERENTIAL, FULL or IMMEDIATE"},
      {.name = "initialize",
       .type = "boolean",
       .initial = "true",
       .kind = kArgument,
       .meaning = "fill the table now, in this transaction; otherwise the daemon does.",
       .flag = "--no-initialize",
       .flag_help = "leave it empty until the daemon fills it"},
      {.name = "diamond_consistency",
       .type = "text",
       .initial = "NULL",
       .kind = kChoice,
       .good = "atomic,none",
       .meaning =
           "atomic (default: refreshed in one snapshot with the stream tables that it shares sources and readers "
           "with) or none.",
       .alter_position = 4,
       .flag = "--diamond-consistency",
       .flag_help = "atomic or none"},
      {.name = "diamond_schedule_policy",
       .type = "text",
       .initial = "NULL",
       .kind = kChoice,
       .good = "fastest,slowest",
       .meaning = "of such a group the fastest (default) or the slowest schedule counts.",
       .alter_position = 5,
       .flag = "--diamond-schedule-policy",
       .flag_help = "fastest or slowest"},
      {.name = "cdc_mode",
       .type = "text",
       .initial = "NULL",
       .kind = kCompatibility,
       .good = "lower(btrim($)) = 'wal'",
       .hint = "Changes are captured by triggers: leave cdc_mode out, or use 'auto' or 'trigger'.",
       .refused = "cdc_mode 'wal'",
       .alter_position = 6},
      {.name = "append_only",
       .type = "boolean",
       .initial = "false",
       .kind = kCompatibility,
       .good = "$",
       .hint = "Leave it out: updates and deletes of the sources are always handled, and inserts do not pay for it.",
       .refused = "append_only",
       .alter_position = 7},
      {.name = "pooler_compatibility_mode",
       .type = "boolean",
       .initial = "false",
       .kind = kCompatibility,
       .alter_position = 8},
      {.name = "partition_by",
       .type = "text",
       .initial = "NULL",
       .kind = kCompatibility,
       .good = "btrim($) <> ''",
       .hint = "Stream tables are not partitioned; an index on the column often does what is needed.",
       .refused = "partition_by",
       .alter_position = 13},
      {.name = "max_differential_joins",
       .type = "int",
       .initial = "NULL",
       .kind = kCompatibility,
       .good = "$ >= 0",
       .hint = "Any number of joins is maintained; refresh_mode => 'FULL' recomputes.",
       .refused = "max_differential_joins",
       .alter_position = 14},
      {.name = "max_delta_fraction",
       .type = "double precision",
       .initial = "NULL",
       .kind = kNumber,
       .good = "$ BETWEEN 0 AND 1e9",
       .unset = "-1",
       .hint = "Give a fraction of the rows of the sources, such as 0.2; -1 means: by measured cost.",
       .meaning = "recompute when more than this fraction of the sources' rows changed; default: by measured cost.",
       .alter_position = 15,
       .flag = "--max-delta-fraction",
       .flag_help = "recompute above this fraction of changed rows; -1: by measured cost"},
      {.name = "tier",
       .type = "text",
       .initial = "NULL",
       .kind = kChoice,
       .good = "hot,warm,cold,frozen",
       .unset = "'hot'",
       .meaning =
           "hot (default), warm, cold or frozen: how much the schedule is stretched; frozen is not refreshed at all.",
       .alter_position = 9,
       .flag = "--tier",
       .flag_help = "hot, warm, cold or frozen"},
      {.name = "max_staleness",
       .type = "interval",
       .initial = "NULL",
       .kind = kNumber,
       .good = "isfinite($) AND $ >= interval '0'",
       .unset = "interval '0'",
       .hint = "Give an interval such as '5 minutes'; '0' means none.",
       .meaning = "what is promised to readers; stream_tables, health_check() and alerts say when it is broken.",
       .alter_position = 16,
       .flag = "--max-staleness",
       .flag_help = "what is promised to readers, such as '5 min'; 0: nothing"},
      {.name = "fuse",
       .type = "text",
       .initial = "NULL",
       .kind = kChoice,
       .good = "off,on,auto",
       .unset = "'off'",
       .meaning =
           "off (default), on (more than fuse_ceiling pending rows: nothing is applied before reset_fuse()), auto "
           "(the limit is learned from the history: mean and fuse_sensitivity standard deviations; fuse_ceiling, "
           "if given, is an upper bound).",
       .alter_meaning = "'off' also mends a blown fuse; nothing else here does, see reset_fuse().",
       .alter_position = 10,
       .flag = "--fuse",
       .flag_help = "off, on or auto: stop instead of applying too many changes"},
      {.name = "fuse_ceiling",
       .type = "bigint",
       .initial = "NULL",
       .kind = kNumber,
       .good = "$ > 0",
       .unset = "-1",
       .hint = "Give the number of pending rows that is too many, at least 1; -1 means none.",
       .meaning = "so many pending rows are too many, see fuse.",
       .alter_position = 11,
       .flag = "--fuse-ceiling",
       .flag_help = "pending rows that blow the fuse; -1: none"},
      {.name = "fuse_sensitivity",
       .type = "int",
       .initial = "NULL",
       .kind = kNumber,
       .good = "$ BETWEEN 1 AND 100",
       .unset = "-1",
       .hint = "Give a number of standard deviations from 1 to 100; -1 means the default, " + sensitivity + ".",
       .meaning = "standard deviations, see fuse; default " + sensitivity + ".",
       .alter_position = 12,
       .flag = "--fuse-sensitivity",
       .flag_help = "auto: standard deviations above the mean; -1: default"},
      {.name = "allow_circular",
       .type = "boolean",
       .initial = "false",
       .kind = kFlag,
       .unset = "false",
       .meaning = "it may be part of a cycle of stream tables, see alter_stream_table().",
       .alter_meaning =
           "a query may read the stream table itself or one that reads it only if every member of the cycle "
           "has it, and the queries must be monotone: then the daemon refreshes them together until nothing "
           "changes any more.",
       .alter_position = 17,
       .flag = "--allow-circular",
       .flag_help = "true or false: may be part of a cycle"},
      {.name = "status",
       .type = "text",
       .kind = kArgument,
       .alter_meaning = "ACTIVE resumes it and forgets its errors, PAUSED or SUSPENDED stops refreshing it. A stopped "
                        "stream table holds the change logs of its sources back.",
       .alter_position = 3,
       .at_creation = false,
       .flag = "--status",
       .flag_help = "ACTIVE or PAUSED"},
  };
}

}  // namespace

const std::vector<TableOption>& table_option_register() {
  static const std::vector<TableOption> kRegister = make_register();
  return kRegister;
}

const TableOption& table_option(const std::string& name) {
  const auto& all = table_option_register();
  const auto found = std::find_if(all.begin(), all.end(), [&](const TableOption& o) { return o.name == name; });
  if (found == all.end()) throw std::logic_error("no option of stream tables is named " + name);
  return *found;
}

}  // namespace pgtrickle
