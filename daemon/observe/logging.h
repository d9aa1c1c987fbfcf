// Sets up spdlog's default logger, which the whole program uses: to standard error, as text for people or as one JSON
// object per line. Call it from main(), again after a reload; it may be used from any thread.
#pragma once

#include <spdlog/formatter.h>

#include <memory>

#include "config/config.h"

namespace pgtrickle::observe {

void setup_logging(const config::Log& settings);

/// {"time":"2024-05-01T12:00:00.123Z","level":"info","message":"..."} and a newline; always valid JSON in UTF-8.
std::unique_ptr<spdlog::formatter> make_json_formatter();

}  // namespace pgtrickle::observe
