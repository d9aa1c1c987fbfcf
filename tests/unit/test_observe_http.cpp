#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "observe/endpoints.h"
#include "observe/http_server.h"
#include "observe/logging.h"
#include "observe/metrics.h"

namespace pgtrickle::observe {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using tcp = boost::asio::ip::tcp;

DatabaseStatus healthy(bool leader = true) {
  DatabaseStatus db;
  db.name = "shop";
  db.connected = true;
  db.leader = leader;
  return db;
}

StreamTableStatus table(const std::string& name, const std::string& status, const std::string& error = {}) {
  StreamTableStatus t;
  t.schema = "public";
  t.name = name;
  t.status = parse_status(status).value();
  t.last_error = error;
  return t;
}

TEST(Health, OkWhenConnected) {
  const auto answer = health_answer({healthy()});
  EXPECT_EQ(answer.status, 200U);
  const auto body = json::parse(answer.body);
  EXPECT_EQ(body["status"], "ok");
  EXPECT_EQ(body["reasons"], json::array());
  EXPECT_EQ(body["databases"][0]["role"], "leader");
}

TEST(Health, WherePgtrickleWasUninstalledConcernsThatDatabaseAlone) {
  DatabaseStatus gone = healthy(false);
  gone.name = "old";
  gone.problem = "pgtrickle is not installed in this database";
  gone.uninstalled = true;
  const auto answer = health_answer({healthy(), gone});
  EXPECT_EQ(answer.status, 200U);
  const auto body = json::parse(answer.body);
  EXPECT_EQ(body["status"], "degraded");
  EXPECT_EQ(body["reasons"], json::array({"database old: pgtrickle is not installed in this database"}));
  EXPECT_EQ(body["databases"][1]["problem"], "pgtrickle is not installed in this database");
  EXPECT_EQ(ready_answer({healthy(), gone}).status, 200U);
  EXPECT_EQ(health_answer({gone}).status, 503U) << "nothing is served";
  EXPECT_EQ(ready_answer({gone}).status, 503U);
  DatabaseStatus lost = healthy();
  lost.connected = false;
  EXPECT_EQ(health_answer({lost, gone}).status, 503U);
}

TEST(Health, AStandbyIsHealthyAndReady) {
  EXPECT_EQ(health_answer({healthy(false)}).status, 200U);
  EXPECT_EQ(json::parse(health_answer({healthy(false)}).body)["databases"][0]["role"], "standby");
  EXPECT_EQ(ready_answer({healthy(false)}).status, 200U);
}

TEST(Health, UnhealthyWithReasonWhenADatabaseIsLost) {
  DatabaseStatus lost;
  lost.name = "stock";
  lost.problem = "connection refused";
  const auto answer = health_answer({healthy(), lost});
  EXPECT_EQ(answer.status, 503U);
  const auto body = json::parse(answer.body);
  EXPECT_EQ(body["status"], "unhealthy");
  EXPECT_EQ(body["reasons"], json::array({"database stock: connection refused"}));
  EXPECT_EQ(ready_answer({healthy(), lost}).status, 503U);
  lost.problem = "";
  EXPECT_EQ(json::parse(ready_answer({lost}).body)["reasons"], json::array({"database stock: not connected"}));
}

TEST(Health, UnhealthyBeforeAnythingIsKnown) {
  EXPECT_EQ(health_answer({}).status, 503U);
  EXPECT_EQ(ready_answer({}).status, 503U);
}

TEST(Health, DegradedWhenAStreamTableFails) {
  auto db = healthy();
  db.stream_tables = {table("good", "ACTIVE"), table("bad", "ERROR", "division by zero"), table("held", "SUSPENDED")};
  const auto answer = health_answer({db});
  EXPECT_EQ(answer.status, 200U);
  const auto body = json::parse(answer.body);
  EXPECT_EQ(body["status"], "degraded");
  EXPECT_EQ(body["reasons"], json::array({"stream table shop: public.bad is ERROR: division by zero",
                                          "stream table shop: public.held is SUSPENDED"}));
  EXPECT_EQ(body["databases"][0]["stream_tables_failed"], 2);
  EXPECT_EQ(ready_answer({db}).status, 200U);
}

TEST(Health, DegradedWhenAPromiseIsBrokenAFuseIsBlownOrADatabaseIsPaused) {
  auto db = healthy();
  db.stream_tables = {table("late", "ACTIVE"), table("burnt", "ACTIVE"), table("both", "SUSPENDED", "no")};
  auto& late = db.stream_tables[0];
  late.max_staleness_seconds = 5;
  late.staleness_seconds = 7.25;
  late.slo_violated = true;
  late.held = "source public.orders is gated";
  db.stream_tables[1].fuse_blown = true;
  db.stream_tables[2].fuse_blown = true;
  db.stream_tables.push_back(table("less", "ACTIVE"));
  db.stream_tables[3].skipped = true;
  auto answer = health_answer({db});
  EXPECT_EQ(answer.status, 200U);
  auto body = json::parse(answer.body);
  EXPECT_EQ(body["status"], "degraded");
  EXPECT_EQ(body["reasons"],
            json::array({"stream table shop: public.late is 7.2 s old, its max_staleness is 5 s, it is held: source "
                         "public.orders is gated",
                         "stream table shop: public.burnt has a blown fuse",
                         "stream table shop: public.both is SUSPENDED: no; has a blown fuse",
                         "stream table shop: public.less lacks changes that were skipped"}));
  EXPECT_EQ(body["databases"][0]["stream_tables_late"], 1);
  EXPECT_EQ(ready_answer({db}).status, 200U);

  db = healthy();
  db.paused = true;
  answer = health_answer({db});
  EXPECT_EQ(answer.status, 200U);
  body = json::parse(answer.body);
  EXPECT_EQ(body["status"], "degraded");
  EXPECT_EQ(body["reasons"], json::array({"database shop: paused"}));
}

TEST(Health, AnEntryThatDiscoversIsShownAsSuch) {
  auto entry = healthy();
  entry.leader = false;
  entry.discovery = true;
  const auto body = json::parse(health_answer({entry}).body);
  EXPECT_EQ(body["status"], "ok") << "that nothing is found yet is no fault";
  EXPECT_EQ(body["databases"][0]["role"], "discovery");
}

TEST(Api, ListsActiveAlerts) {
  auto db = healthy();
  const AlertTime since{std::chrono::seconds(1700000000)};
  db.alerts.push_back({.alert = {.kind = AlertKind::kStale,
                                 .database = "shop",
                                 .object = "public.st",
                                 .message = "late",
                                 .details = {{"staleness_seconds", 7.5}, {"held", "x"}}},
                       .since = since,
                       .last = since + std::chrono::milliseconds(1500),
                       .times = 3});
  EXPECT_EQ(json::parse(alerts_answer({db}).body), json::parse(R"({"alerts": [{"database": "shop", "kind": "stale",
      "severity": "warning", "object": "public.st", "message": "late", "since": "2023-11-14T22:13:20.000Z",
      "last": "2023-11-14T22:13:21.500Z", "times": 3, "details": {"staleness_seconds": 7.5, "held": "x"}}]})"));
  EXPECT_EQ(json::parse(alerts_answer({}).body)["alerts"], json::array());
}

TEST(Api, StreamTablesShowTheirScheduling) {
  auto db = healthy();
  db.stream_tables = {table("st", "ACTIVE"), table("plain", "ACTIVE")};
  auto& st = db.stream_tables[0];
  st.tier = "warm";
  st.period_seconds = 8;
  st.backoff_factor = 4;
  st.max_staleness_seconds = 10;
  st.slo_violated = true;
  st.held = "gate";
  st.fuse_blown = true;
  st.scc = 3;
  const auto tables = json::parse(stream_tables_answer({db}).body)["stream_tables"];
  EXPECT_EQ(tables[0]["tier"], "warm");
  EXPECT_EQ(tables[0]["period_seconds"], 8);
  EXPECT_EQ(tables[0]["backoff_factor"], 4);
  EXPECT_EQ(tables[0]["max_staleness_seconds"], 10);
  EXPECT_EQ(tables[0]["slo_violated"], true);
  EXPECT_EQ(tables[0]["held"], "gate");
  EXPECT_EQ(tables[0]["fuse_blown"], true);
  EXPECT_EQ(tables[0]["skipped"], false);
  EXPECT_EQ(tables[0]["scc"], 3);
  for (const char* key : {"period_seconds", "max_staleness_seconds", "held", "scc"}) {
    EXPECT_TRUE(tables[1][key].is_null()) << key;
  }
}

TEST(Api, ListsStreamTables) {
  auto db = healthy();
  db.stream_tables = {table("a\"\xff", "ACTIVE")};  // not UTF-8: replaced, not fatal
  db.stream_tables[0].last_refresh_epoch = 1700000000.25;
  const auto body = json::parse(stream_tables_answer({db}).body);
  ASSERT_EQ(body["stream_tables"].size(), 1U);
  EXPECT_EQ(body["stream_tables"][0]["database"], "shop");
  EXPECT_EQ(body["stream_tables"][0]["last_refresh_at"], "2023-11-14T22:13:20.250Z");
  EXPECT_TRUE(body["stream_tables"][0]["last_error"].is_null());
}

TEST(JsonLog, EveryLineIsValidJson) {
  const auto formatter = make_json_formatter();
  for (const std::string message :
       {"plain", "quote \" backslash \\ newline \n tab \t", "\x01\x1f control", "bad \xff utf8", ""}) {
    spdlog::details::log_msg line("", spdlog::level::warn, message);
    spdlog::memory_buf_t out;
    formatter->format(line, out);
    const std::string text(out.data(), out.size());
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << "one line";
    const auto parsed = json::parse(text);
    EXPECT_EQ(parsed["level"], "warning");
    if (message.find('\xff') == std::string::npos) {
      EXPECT_EQ(parsed["message"], message);
    }
    EXPECT_THAT(parsed["time"].get<std::string>(), ::testing::MatchesRegex("....-..-..T..:..:..\\....Z"));
  }
}

struct FixedStatus : StatusSource {
  std::vector<DatabaseStatus> value{healthy()};
  [[nodiscard]] std::vector<DatabaseStatus> status() const override { return value; }
};

class HttpServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    handler_ = make_handler(metrics_, source_);
    server_ = std::make_unique<HttpServer>(io_.get_executor(), "127.0.0.1", 0, [this](const std::string& path) {
      if (path == "/throws") throw std::runtime_error("secret detail");
      HttpAnswer slow;
      slow.content_type = "text/plain";
      if (path == "/long") {
        slow.long_body = [this] {
          begun_.set_value();
          return may_end_.get_future().get();
        };
        return slow;
      }
      if (path == "/long-throws") {
        slow.long_body = []() -> std::string { throw std::runtime_error("secret detail"); };
        return slow;
      }
      return handler_(path);
    });
    port_ = server_->port();
    thread_ = std::thread([this] { io_.run(); });
  }

  void TearDown() override {
    boost::asio::post(io_, [this] { server_->stop(); });
    thread_.join();  // ends only because stop() closes the listener and every connection
    server_.reset();
  }

  // Sends bytes, reads until the server closes or `bytes` have come.
  std::string talk(const std::string& request) {
    boost::asio::io_context io;
    tcp::socket socket(io);
    socket.connect({boost::asio::ip::make_address("127.0.0.1"), port_});
    boost::system::error_code error;
    boost::asio::write(socket, boost::asio::buffer(request), error);
    std::string answer;
    boost::asio::read(socket, boost::asio::dynamic_buffer(answer), error);
    return answer;
  }

  std::string get(const std::string& target, const std::string& method = "GET", const std::string& more = {}) {
    return talk(method + " " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + more + "\r\n");
  }

  Metrics metrics_;
  FixedStatus source_;
  HttpHandler handler_;
  std::promise<void> begun_;           // of the body of /long
  std::promise<std::string> may_end_;  // what it is
  boost::asio::io_context io_;
  std::unique_ptr<HttpServer> server_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

TEST_F(HttpServerTest, ServesItsPaths) {
  EXPECT_THAT(get("/metrics"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(get("/metrics?x=1"), HasSubstr("pgtrickle_connected{database=\"shop\"} 1"));
  EXPECT_THAT(get("/health"), HasSubstr("Content-Type: application/json"));
  EXPECT_THAT(get("/ready"), HasSubstr("\"ready\": true"));
  EXPECT_THAT(get("/live"), HasSubstr("\"live\": true"));
  EXPECT_THAT(get("/api/v1/stream_tables"), HasSubstr("\"stream_tables\": []"));
  EXPECT_THAT(get("/api/v1/alerts"), HasSubstr("\"alerts\": []"));
}

TEST_F(HttpServerTest, UnknownPathAndMethodAreJsonErrors) {
  EXPECT_THAT(get("/nothing"), ::testing::AllOf(StartsWith("HTTP/1.1 404"), HasSubstr("no such path")));
  EXPECT_THAT(get("/health", "POST"), ::testing::AllOf(StartsWith("HTTP/1.1 405"), HasSubstr("Allow: GET, HEAD")));
  EXPECT_THAT(talk("POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"), StartsWith("HTTP/1.1 405"));
}

TEST_F(HttpServerTest, HeadHasTheHeadersOfGetAndNoBody) {
  const std::string head = get("/ready", "HEAD"), full = get("/ready");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
  EXPECT_EQ(head, full.substr(0, full.find("\r\n\r\n") + 4));
}

TEST_F(HttpServerTest, KeepsAConnectionForSeveralRequests) {
  const std::string one = "GET /ready HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string answers = talk(one + one + "GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  std::size_t count = 0;
  for (std::size_t at = 0; (at = answers.find("HTTP/1.1 200", at)) != std::string::npos; ++at) ++count;
  EXPECT_EQ(count, 3U);
}

TEST_F(HttpServerTest, WhoAsksForNothingKeepsNobodyOut) {
  boost::asio::io_context io;
  std::vector<tcp::socket> idle;
  for (int i = 0; i < 100; ++i) {
    idle.emplace_back(io).connect({boost::asio::ip::make_address("127.0.0.1"), port_});
  }
  for (int i = 0; i < 3; ++i) EXPECT_THAT(get("/health"), StartsWith("HTTP/1.1 200")) << i;
  // The ones that have waited longest made place.
  boost::system::error_code error;
  char byte = 0;
  idle.front().read_some(boost::asio::buffer(&byte, 1), error);
  EXPECT_TRUE(error == boost::asio::error::eof || error == boost::asio::error::connection_reset) << error.message();
}

TEST_F(HttpServerTest, AnswersThatAreBeingMadeAreNotDropped) {
  auto slow = std::async(std::launch::async, [&] { return get("/long"); });
  begun_.get_future().wait();
  boost::asio::io_context io;
  std::vector<tcp::socket> idle;
  for (int i = 0; i < 100; ++i) {
    idle.emplace_back(io).connect({boost::asio::ip::make_address("127.0.0.1"), port_});
  }
  EXPECT_THAT(get("/health"), StartsWith("HTTP/1.1 200"));
  may_end_.set_value("whole");
  EXPECT_THAT(slow.get(), HasSubstr("whole"));
}

TEST(HttpServer, AnswersForAllowedHostsOnly) {
  boost::asio::io_context io;
  HttpServer server(io.get_executor(), "127.0.0.1", 0, [](const std::string&) { return HttpAnswer{}; },
                    {"localhost", "metrics.example.org", "::1"});
  std::thread thread([&] { io.run(); });
  const auto status_for = [&](const std::string& header) {
    boost::asio::io_context client;
    tcp::socket socket(client);
    socket.connect({boost::asio::ip::make_address("127.0.0.1"), server.port()});
    boost::asio::write(socket, boost::asio::buffer("GET / HTTP/1.1\r\n" + header + "Connection: close\r\n\r\n"));
    boost::system::error_code error;
    std::string answer;
    boost::asio::read(socket, boost::asio::dynamic_buffer(answer), error);
    return answer.substr(9, 3);
  };
  for (const char* host : {"localhost", "LocalHost:9188", "metrics.example.org", "[::1]:9188", "[::1]"}) {
    EXPECT_EQ(status_for("Host: " + std::string(host) + "\r\n"), "200") << host;
  }
  for (const char* host : {"evil.example.org", "localhost.evil.example.org", "", "[::2]", "["}) {
    EXPECT_EQ(status_for("Host: " + std::string(host) + "\r\n"), "403") << host;
  }
  EXPECT_EQ(status_for(""), "403");
  boost::asio::post(io, [&] { server.stop(); });
  thread.join();
}

TEST_F(HttpServerTest, HugeHeadersAndNonsenseAreRefused) {
  EXPECT_THAT(get("/health", "GET", "X: " + std::string(20000, 'a') + "\r\n"), StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(talk("this is not http at all\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(get("/health"), StartsWith("HTTP/1.1 200")) << "still serving";
}

TEST_F(HttpServerTest, AFailingHandlerIsA500WithoutDetails) {
  const auto previous = spdlog::get_level();
  spdlog::set_level(spdlog::level::off);
  for (const char* path : {"/throws", "/long-throws"}) {
    EXPECT_THAT(get(path), ::testing::AllOf(StartsWith("HTTP/1.1 500"), Not(HasSubstr("secret")))) << path;
  }
  spdlog::set_level(previous);
}

TEST_F(HttpServerTest, ABodyThatTakesLongDoesNotHoldTheLoop) {
  auto body = std::async(std::launch::async, [this] { return get("/long"); });
  begun_.get_future().wait();
  EXPECT_THAT(get("/ready"), StartsWith("HTTP/1.1 200"));
  may_end_.set_value("at last");
  EXPECT_THAT(body.get(), ::testing::AllOf(HasSubstr("Content-Length: 7\r\n"), ::testing::EndsWith("at last")));
}

TEST_F(HttpServerTest, AConnectionThatSaysNothingDoesNotBlockOthersOrTheEnd) {
  boost::asio::io_context io;
  tcp::socket silent(io);
  silent.connect({boost::asio::ip::make_address("127.0.0.1"), port_});
  EXPECT_THAT(get("/ready"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, APortThatIsTakenIsAClearError) {
  try {
    HttpServer second(io_.get_executor(), "127.0.0.1", port_, handler_);
    FAIL() << "should not listen";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), ::testing::AllOf(HasSubstr("cannot listen on 127.0.0.1:"), HasSubstr("in use")));
  }
}

}  // namespace
}  // namespace pgtrickle::observe
