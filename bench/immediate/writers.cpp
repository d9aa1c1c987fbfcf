#include "writers.h"

#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace pgt::bench::immediate {
namespace {

constexpr auto kPause = std::chrono::milliseconds(1);
constexpr int kRows = 200;  // that a session writes to, in turn

/// Rows in the groups of this client alone: those of one region, and of its customers.
std::vector<std::string> rows_of(test::Session& session, int client) {
  std::vector<std::string> ids;
  const std::string join = " FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.status <> 'void'";
  for (const auto& row : session.exec("SELECT o.id" + join + " AND c.region = (SELECT DISTINCT c.region" + join +
                                      " ORDER BY c.region OFFSET " + std::to_string(client) +
                                      " LIMIT 1) ORDER BY o.id LIMIT " + std::to_string(kRows))) {
    ids.emplace_back(row[0].c_str());
  }
  if (ids.empty()) throw std::runtime_error("there is no region for writer " + std::to_string(client));
  return ids;
}

struct Client {
  std::unique_ptr<test::Session> session;
  std::vector<std::string> ids;
  long done = 0;
  std::thread thread;
};

void write_until(const std::atomic<int>& phase, Work work, Client& client) {
  std::size_t next = 0;
  while (phase < 2) {
    const std::string update = "EXECUTE change(" + client.ids[next++ % client.ids.size()] + ")";
    if (work == Work::kOneStatement) {
      client.session->exec(update);
    } else {
      client.session->exec("BEGIN; " + update);
      std::this_thread::sleep_for(kPause);
      client.session->exec("COMMIT");
    }
    if (phase == 1) ++client.done;
  }
}

}  // namespace

double transactions_per_second(Form& form, Work work, int clients, double seconds) {
  std::vector<Client> all(static_cast<std::size_t>(clients));
  for (int i = 0; i < clients; ++i) {
    Client& client = all[static_cast<std::size_t>(i)];
    client.session = std::make_unique<test::Session>(form.dsn());
    client.ids = rows_of(*client.session, i);
    client.session->exec("PREPARE change (bigint) AS UPDATE orders SET amount = amount + 1 WHERE id = $1");
  }
  std::atomic<int> phase = 0;  // 0: warming up, 1: counted, 2: over
  std::mutex mutex;
  std::exception_ptr failed;
  for (Client& client : all) {
    client.thread = std::thread([&] {
      try {
        write_until(phase, work, client);
      } catch (...) {
        const std::lock_guard lock(mutex);
        failed = std::current_exception();
      }
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  const auto start = std::chrono::steady_clock::now();
  phase = 1;
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  phase = 2;
  const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  long done = 0;
  for (Client& client : all) {
    client.thread.join();
    done += client.done;
  }
  if (failed) std::rethrow_exception(failed);
  return static_cast<double>(done) / took;
}

}  // namespace pgt::bench::immediate
