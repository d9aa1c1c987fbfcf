// Sets up spdlog's default logger, which the whole program uses: to standard error, as text for people or as one JSON
// object per line. Call it from main(), again after a reload; it may be used from any thread. Lines are written with
// observe/log.h. Nothing that a line contains can begin another one: control characters are escaped.
//
// Where standard error is the journal of systemd (JOURNAL_STREAM), each line begins with its priority, "<3>", and text
// has no time of its own.
#pragma once

#include <spdlog/formatter.h>
#include <spdlog/logger.h>

#include <memory>

#include "config/config.h"

namespace pgtrickle::observe {

void setup_logging(const config::Log& settings);

/// A logger that writes to `to` what is severe enough: for its topic if that has a level of its own.
std::shared_ptr<spdlog::logger> make_logger(const config::Log& settings, spdlog::sink_ptr to);

/// {"time":"2024-05-01T12:00:00.123Z","level":"info","topic":"build","message":"...", ...fields} and a newline; always
/// valid JSON in UTF-8.
std::unique_ptr<spdlog::formatter> make_json_formatter(bool to_journal = false);
/// 2024-05-01 14:00:00.123+0200 info     message key=value
std::unique_ptr<spdlog::formatter> make_text_formatter(bool to_journal = false);

/// Is this file descriptor what JOURNAL_STREAM of the environment says?
bool is_journal(int descriptor, const char* journal_stream);

}  // namespace pgtrickle::observe
