// libpq connection strings: merging our settings into a user's, and showing one without its secrets. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "postgres/result.h"

namespace pgtrickle::postgres {

/// `conninfo` (keyword/value or URI, may be empty) as a keyword/value string with `overrides` on top, and `defaults`
/// for what it does not set. `options` is not replaced but put in front of the user's own (which is PGOPTIONS if the
/// string has none), so that the user's win. The answer contains the password if there was one: never log it.
Result<std::string> merge_conninfo(const std::string& conninfo, const std::map<std::string, std::string>& overrides,
                                   const std::map<std::string, std::string>& defaults = {});

/// `conninfo` with what `others` (the same kinds of text) sets on top. Another user does not inherit the password.
Result<std::string> overlay_conninfo(const std::string& conninfo, const std::string& others);

/// Which database `conninfo` leads to, for comparing: host, port and dbname, with libpq's defaults for what is missing.
/// Two texts may still be the same place. Empty if it cannot be parsed.
[[nodiscard]] std::string conninfo_target(const std::string& conninfo);

/// Is there a password in it, or another secret?
[[nodiscard]] bool holds_secret(const std::string& conninfo);

/// `conninfo` for logs: passwords and other secrets replaced by ***. A string that cannot be parsed is not shown.
[[nodiscard]] std::string redact_conninfo(const std::string& conninfo);

/// A text of libpq or the server in which anything that looks like a secret of a connection string is replaced by ***.
[[nodiscard]] std::string redact_text(std::string_view text);

/// `-c name=value` for the connection parameter `options`, with the escapes that it needs.
[[nodiscard]] std::string option(std::string_view name, std::string_view value);

}  // namespace pgtrickle::postgres
