#include "scheduler/discovery.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>

#include "observe/log.h"
#include "postgres/conninfo.h"
#include "postgres/installation.h"

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
namespace log = observe::log;
using postgres::deadline_after;
using postgres::Result;
using postgres::Rows;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kTimeout{5000};  // of connecting, and of a question

// -2: half dropped. The ones that we may not connect to are somebody else's.
constexpr const char* kList = R"(
    SELECT datname::text AS name FROM pg_catalog.pg_database
    WHERE datallowconn AND NOT datistemplate AND datconnlimit <> -2 AND pg_catalog.has_database_privilege(oid, 'CONNECT')
    ORDER BY 1)";

}  // namespace

std::string foreign_installation(const std::string& owner) {
  return "pgtrickle in this database belongs to role \"" + owner +
         "\", which is neither the role that the daemon connects as nor a superuser: nothing of it is called. Connect "
         "as that role, or have a superuser install pgtrickle";
}

bool FoundDatabases::exist(const std::vector<std::string>& databases) {
  return std::erase_if(names_, [&](const std::string& name) {
           return std::find(databases.begin(), databases.end(), name) == databases.end();
         }) > 0;
}

bool FoundDatabases::answered(const std::string& database, bool has_pgtrickle) {
  return has_pgtrickle ? names_.insert(database).second : names_.erase(database) > 0;
}

std::vector<config::Database> databases_to_serve(const std::vector<config::Database>& configured,
                                                 const FoundByEntry& found) {
  std::vector<config::Database> out;
  std::set<std::string> names, targets;
  for (const config::Database& database : configured) {
    if (database.discover) continue;
    out.push_back(database);
    names.insert(database.name);
    targets.insert(postgres::conninfo_target(database.dsn));
  }
  for (const config::Database& entry : configured) {
    const auto of_entry = found.find(entry.name);
    if (!entry.discover || of_entry == found.end()) continue;
    for (const std::string& dbname : of_entry->second) {
      const auto dsn = postgres::merge_conninfo(entry.dsn, {{"dbname", dbname}});
      if (!dsn) continue;  // the loader has checked it
      config::Database database = entry;
      database.discover = false;
      database.dsn = *dsn;
      database.name = entry.name.empty() ? dbname : entry.name + "/" + dbname;
      // A listed database of another server may have the name already.
      if (!targets.insert(postgres::conninfo_target(*dsn)).second) continue;
      for (int n = 2; !names.insert(database.name).second; ++n) database.name = dbname + "#" + std::to_string(n);
      out.push_back(std::move(database));
    }
  }
  return out;
}

bool same_connections(const config::Database& a, const config::Database& b) {
  return a.name == b.name && a.dsn == b.dsn && a.worker_dsn == b.worker_dsn && a.pool_size == b.pool_size &&
         a.workers == b.workers && a.discover == b.discover;
}

ServiceChanges service_changes(const std::vector<config::Database>& current,
                               const std::vector<config::Database>& wanted) {
  const auto missing_in = [](const std::vector<config::Database>& all, const config::Database& one) {
    return std::none_of(all.begin(), all.end(), [&](const auto& other) { return same_connections(one, other); });
  };
  ServiceChanges changes;
  for (std::size_t i = 0; i < current.size(); ++i) {
    if (missing_in(wanted, current[i])) changes.end.push_back(i);
  }
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (missing_in(current, wanted[i])) changes.start.push_back(i);
  }
  return changes;
}

Discovery::Discovery(const asio::any_io_executor& executor, std::shared_ptr<asio::thread_pool> libpq_workers,
                     config::Database entry, config::Milliseconds interval, std::function<void()> changed)
    : libpq_workers_(std::move(libpq_workers)),
      entry_(std::move(entry)),
      interval_(interval),
      changed_(std::move(changed)),
      signal_(executor) {}

asio::awaitable<void> Discovery::run(std::shared_ptr<Discovery> self) {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!self->stopping_) {
    co_await self->look();
    if (!self->stopping_) co_await self->signal_.wait(deadline_after(self->interval_));
  }
}

void Discovery::stop() {
  stopping_ = true;
  signal_.set();
}

void Discovery::set_interval(config::Milliseconds interval) {
  interval_ = interval;
  signal_.set();
}

asio::awaitable<void> Discovery::look() {
  const std::string server, list = kList, question = postgres::kWhoseInstallation;
  const auto rows = co_await ask(server, list);
  if (stopping_) co_return;
  std::vector<std::string> names;
  postgres::Error error;
  bool readable = rows.ok();
  if (!rows) error = rows.error();
  for (std::size_t i = 0; readable && i < rows->size(); ++i) {
    postgres::RowReader row(*rows, i);
    names.push_back(row.get<std::string>("name"));
    readable = !row.error();
    if (row.error()) error = *row.error();
  }
  listed_ = readable;
  set_problem({}, readable ? std::string() : "cannot list the databases: " + error.message);
  if (!readable) co_return;  // a server that does not answer has not lost its databases

  std::erase_if(problems_, [&](const auto& item) {
    return !item.first.empty() && std::find(names.begin(), names.end(), item.first) == names.end();
  });
  if (found_.exist(names)) changed_();
  for (const std::string& name : names) {
    const auto answer = co_await ask(name, question);
    if (stopping_) co_return;
    if (!answer) {
      set_problem(name, answer.error().message);
      continue;
    }
    postgres::RowReader row(*answer, 0);
    const bool installed = row.get<bool>("installed");
    const auto stranger = row.get<std::optional<std::string>>("stranger");
    std::string problem = row.error() ? row.error()->message : std::string();
    if (installed && stranger) problem = foreign_installation(*stranger);
    set_problem(name, problem);
    if (!row.error() && found_.answered(name, installed && !stranger)) changed_();
    if (stopping_) co_return;
  }
}

asio::awaitable<Result<Rows>> Discovery::ask(std::string database, std::string sql) {
  std::map<std::string, std::string> overrides;
  overrides["application_name"] = "pgtrickled discovery";
  overrides["client_encoding"] = "UTF8";
  if (!database.empty()) overrides["dbname"] = database;
  auto conninfo = postgres::merge_conninfo(entry_.dsn, overrides);
  if (!conninfo) co_return conninfo.error();
  postgres::ConnectSettings settings;
  settings.conninfo = std::move(*conninfo);
  settings.session = {{"statement_timeout", std::to_string(kTimeout.count())},
                      {"client_min_messages", "warning"},
                      {"search_path", "pg_catalog"}};
  settings.workers = libpq_workers_;
  settings.timeout = kTimeout;
  const auto connection = co_await postgres::Connection::connect(std::move(settings));
  if (!connection) co_return connection.error();
  postgres::Statement statement;
  statement.sql = std::move(sql);
  auto rows = co_await (*connection)->query(std::move(statement), deadline_after(kTimeout));
  (*connection)->close();
  co_return rows;
}

void Discovery::set_problem(const std::string& database, const std::string& problem) {
  std::string& known = problems_[database];
  if (known == problem) return;
  const std::string what = database.empty() ? std::string() : " database=" + observe::log_quoted(database);
  if (problem.empty()) {
    log::info("discovery", "discovery works again entry={}{}", label(), log::raw(what));
  } else {
    log::warn("discovery", "discovery failed entry={}{} error={}", label(), log::raw(what), problem);
  }
  known = problem;
}

std::string Discovery::label() const {
  return entry_.name.empty() ? "(discovery)" : entry_.name + " (discovery)";
}

observe::DatabaseStatus Discovery::status() const {
  observe::DatabaseStatus out;
  out.name = label();
  out.discovery = true;
  out.connected = listed_;
  if (const auto found = problems_.find(""); found != problems_.end()) out.problem = found->second;
  return out;
}

}  // namespace pgtrickle::scheduler
