// What the HTTP server says, as functions of the scheduler's status: health, readiness and the read-only API. Pure.
//
// unhealthy (503): a database is not connected or has a problem, or nothing is configured yet. degraded (200): a stream
// table is in ERROR or SUSPENDED, is staler than it promises, has a blown fuse or lacks changes that were skipped, or a
// database is paused, or pgtrickle was uninstalled from one of several. A standby that is connected is healthy, as long
// as somebody leads.
#pragma once

#include <string>
#include <vector>

#include "observe/http_server.h"
#include "observe/observer.h"

namespace pgtrickle::observe {

HttpAnswer health_answer(const std::vector<DatabaseStatus>& status);
/// The event loop turns. It says nothing about databases: a daemon that waits for one is no better after a restart.
HttpAnswer live_answer();
HttpAnswer ready_answer(const std::vector<DatabaseStatus>& status);
HttpAnswer stream_tables_answer(const std::vector<DatabaseStatus>& status);
/// The alerts that last at present.
HttpAnswer alerts_answer(const std::vector<DatabaseStatus>& status);

class Metrics;
/// Routes /metrics, /health, /live, /ready, /api/v1/stream_tables and /api/v1/alerts; anything else is 404. Both must
/// outlive the handler.
HttpHandler make_handler(Metrics& metrics, const StatusSource& source);

}  // namespace pgtrickle::observe
