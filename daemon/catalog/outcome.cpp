#include "catalog/outcome.h"

#include <pqxx/pqxx>

#include "compiler/error.h"
#include "postgres/blocking_error.h"

namespace pgtrickle::catalog {
namespace {

using postgres::Error;
using postgres::our_error;

BuildResult ended(BuildStatus status, Error error) {
  BuildResult result;
  result.status = status;
  result.message = error.explained();
  result.error = std::move(error);
  return result;
}

BuildResult failed(Error error) {
  return ended(BuildStatus::kError, std::move(error));
}

BuildResult failed_at_server(Error error) {
  const bool again = error.is_passing() || error.is_concurrent_ddl() || error.is(Condition::kPaused);
  return ended(again ? BuildStatus::kRetry : BuildStatus::kError, std::move(error));
}

std::string with_fragment(const compiler::Unsupported& e) {
  return e.fragment().empty() ? e.what() : std::string(e.what()) + ": " + e.fragment();
}

}  // namespace

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
    return ended(BuildStatus::kRetry, our_error(Condition::kLockNotAvailable, blocked.message));
  } catch (const pqxx::failure& e) {
    return failed_at_server(postgres::error_of(e));
  } catch (const BuildFailure& e) {
    return failed(e.error);
  } catch (const compiler::Unsupported& e) {
    return failed(our_error(Condition::kFeatureNotSupported, with_fragment(e), e.hint()));
  } catch (const std::exception& e) {  // a broken invariant of ours must not take the other stream tables down
    return failed(our_error(
        Condition::kInternalError, std::string("internal error: ") + e.what(),
        "This is a bug in pgtrickle: please report it with the query. refresh_mode FULL may work meanwhile."));
  }
  return result;
}

}  // namespace pgtrickle::catalog
