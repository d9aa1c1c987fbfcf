#include "catalog/outcome.h"

#include <pqxx/pqxx>

#include "catalog/errors.h"
#include "compiler/error.h"

namespace pgtrickle::catalog {

BuildResult guarded(const std::function<BuildResult()>& work) {
  BuildResult result;
  try {
    return work();
  } catch (const Gone&) {
    result.status = BuildStatus::kGone;
  } catch (const Held& held) {
    result.status = BuildStatus::kRetry;
    result.message = held.reason;
  } catch (const Blocked& blocked) {
    result.status = BuildStatus::kRetry;
    result.sqlstate = "55P03";
    result.message = blocked.message;
  } catch (const pqxx::sql_error& e) {
    const auto error = server_error(e);
    const bool concurrent_ddl =
        error.sqlstate == "XX000" && error.message.find("concurrently updated") != std::string::npos;
    const bool paused = error.sqlstate == "TR001";
    result.status = is_passing(error.sqlstate) || concurrent_ddl || paused ? BuildStatus::kRetry : BuildStatus::kError;
    result.sqlstate = error.sqlstate;
    result.message = error.message;
    if (!error.detail.empty()) result.message += " (" + error.detail + ")";
    result.hint = error.hint;
  } catch (const pqxx::failure& e) {  // connection trouble
    result.status = BuildStatus::kRetry;
    result.sqlstate = "08006";
    result.message = e.what();
  } catch (const BuildFailure& e) {
    result.status = BuildStatus::kError;
    result.sqlstate = e.sqlstate;
    result.message = e.what();
    result.hint = e.hint;
  } catch (const compiler::Unsupported& e) {
    result.status = BuildStatus::kError;
    result.sqlstate = "0A000";
    result.message = e.what();
    if (!e.fragment().empty()) result.message += ": " + e.fragment();
    result.hint = e.hint();
  } catch (const std::exception& e) {  // a broken invariant of ours must not take the other stream tables down
    result.status = BuildStatus::kError;
    result.sqlstate = "XX000";
    result.message = std::string("internal error: ") + e.what();
    result.hint = "This is a bug in pgtrickle: please report it with the query. refresh_mode FULL may work meanwhile.";
  }
  return result;
}

}  // namespace pgtrickle::catalog
