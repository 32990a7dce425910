#include "master/http/front.h"

#include <fstream>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "common/base/strings.h"
#include "common/testing/http_client.h"
#include "master/auth/token_table.h"
#include "master/journal/memory_journal.h"
#include "master/testing/commands.h"
#include "master/testing/test_engine.h"

namespace det::http {
namespace {

class FrontTest : public testing::Test {
 protected:
  FrontTest() {
    tokens_.Add(Secret("admin-token-12345678"), {core::Role::kAdmin, "admin"});
    tokens_.Add(Secret("user-token-123456789"), {core::Role::kUser, "ann"});
    tokens_.Add(Secret("join-token-123456789"), {core::Role::kAgent, ""});
    scrapers_.Add(Secret("scrape-token-1234567"), {core::Role::kUser, "scrape"});
    auto front = Front::Start({engine_.engine(), ingestor_, metrics_, tokens_, scrapers_},
                              {.request_timeout = absl::Milliseconds(200)});
    EXPECT_TRUE(front.ok()) << front.status();
    front_ = *std::move(front);
  }

  std::string Send(std::string_view request) {
    HttpClient client(front_->port());
    client.Send(request);
    return client.Receive();
  }
  std::string Ask(std::string_view line, std::string_view token = "") {
    const std::string header = token.empty() ? "" : StrCat("Authorization: Bearer ", token, "\r\n");
    return Send(StrCat(line, " HTTP/1.1\r\nHost: x\r\n", header, "\r\n"));
  }
  static int StatusOf(const std::string& response) {
    return response.size() > 12 ? std::atoi(response.c_str() + 9) : 0;
  }

  journal::MemoryJournal journal_{std::make_shared<journal::MemoryStore>()};
  test::TestEngine engine_{journal_};
  // Writes nothing here: it connects to its store when it has something to write.
  ingest::Ingestor ingestor_{{"", engine_.engine(), [](const absl::Status&) {}}};
  Metrics metrics_;
  auth::TokenTable tokens_;
  auth::TokenTable scrapers_;
  std::unique_ptr<Front> front_;
};

TEST_F(FrontTest, HealthIsForEverybodyAndSaysOnlyThat) {
  const std::string response = Ask("GET /healthz");
  EXPECT_EQ(StatusOf(response), 200);
  EXPECT_TRUE(response.ends_with("\r\n\r\nok\n")) << response;
  EXPECT_EQ(StatusOf(Ask("POST /healthz")), 405);
}

TEST_F(FrontTest, MetricsAreForTheScrapeTokenAndAdministrators) {
  EXPECT_EQ(StatusOf(Ask("GET /metrics", "scrape-token-1234567")), 200);
  EXPECT_EQ(StatusOf(Ask("GET /metrics", "admin-token-12345678")), 200);
  EXPECT_EQ(StatusOf(Ask("GET /metrics", "user-token-123456789")), 403);
  EXPECT_EQ(StatusOf(Ask("GET /metrics", "join-token-123456789")), 403);
  EXPECT_EQ(StatusOf(Ask("GET /metrics", "scrape-token-1234568")), 401);
  EXPECT_EQ(StatusOf(Ask("GET /metrics")), 401);
  EXPECT_EQ(StatusOf(Ask("DELETE /metrics", "scrape-token-1234567")), 405);
  EXPECT_EQ(StatusOf(Send("GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Basic "
                          "scrape-token-1234567\r\n\r\n")),
            401);
}

TEST_F(FrontTest, NothingElseIsHere) {
  for (const char* path :
       {"/", "/metrics/", "/healthz/x", "/api/v1/experiments", "/..%2fmetrics"}) {
    EXPECT_EQ(StatusOf(Ask(StrCat("GET ", path))), 401) << path;
    EXPECT_EQ(StatusOf(Ask(StrCat("GET ", path), "admin-token-12345678")), 404) << path;
    EXPECT_EQ(StatusOf(Ask(StrCat("GET ", path), "scrape-token-1234567")), 404) << path;
  }
}

TEST_F(FrontTest, HeadersAndBodiesAreBounded) {
  EXPECT_EQ(StatusOf(Send(StrCat("GET /healthz HTTP/1.1\r\nHost: x\r\nX: ",
                                 std::string(kHttpHeaderBytesMax, 'x'),
                                 "\r\n\r\n"))),
            431);
  EXPECT_EQ(StatusOf(Send("POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")),
            413);
}

TEST_F(FrontTest, AClientThatIsTooSlowIsCutOff) {
  HttpClient client(front_->port());
  client.Send("GET /healthz HT");
  EXPECT_TRUE(client.Ends());
  EXPECT_EQ(StatusOf(Ask("GET /healthz")), 200);
}

TEST_F(FrontTest, AScrapeShowsWhatIs) {
  engine_.Must(test::Connect(AgentId("a"), 3));
  engine_.Must(test::Submit());
  engine_.Must(test::Running(AgentId("a"), engine_.OnlyAllocation()));
  const std::string text = Ask("GET /metrics", "scrape-token-1234567");
  for (const char* line : {"\ndet_agents{state=\"connected\"} 1\n",
                           "\ndet_slots{pool=\"default\",use=\"free\"} 2\n",
                           "\ndet_slots{pool=\"default\",use=\"held\"} 1\n",
                           "\ndet_trials_live{state=\"RUNNING\"} 1\n",
                           "\ndet_experiments_live 1\n",
                           "\ndet_ingest_metric_rows_total 0\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

TEST_F(FrontTest, AnEngineThatHasEndedIsSaid) {
  engine_.engine().Stop();
  EXPECT_EQ(StatusOf(Ask("GET /metrics", "scrape-token-1234567")), 503);
  EXPECT_EQ(StatusOf(Ask("GET /healthz")), 200);
}

// "name type" of each metric, as a scrape says it and as the manual does.
TEST_F(FrontTest, EveryMetricIsInTheManualAndTheOtherWayRound) {
  engine_.Must(test::Connect(AgentId("a"), 1));
  std::set<std::string> scraped;
  std::istringstream text(Ask("GET /metrics", "scrape-token-1234567"));
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("# TYPE ")) scraped.insert(line.substr(7));
  }
  std::set<std::string> documented;
  std::ifstream manual(DET_SOURCE_DIR "/docs/metrics.md");
  for (std::string line; std::getline(manual, line);) {
    if (!line.starts_with("| `det_")) continue;
    const size_t name_end = line.find('`', 3);
    const size_t type_end = line.find(" |", name_end + 4);
    documented.insert(StrCat(
        line.substr(3, name_end - 3), " ", line.substr(name_end + 4, type_end - name_end - 4)));
  }
  EXPECT_EQ(scraped, documented);
  EXPECT_GT(scraped.size(), 10U);
}

}  // namespace
}  // namespace det::http
