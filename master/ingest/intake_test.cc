#include "master/ingest/intake.h"

#include <deque>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace det::ingest {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A core that decides when it is told to, and has so much room.
class Inbox : public engine::CoreInbox {
 public:
  void Post(core::Command command, Reply reply) override {
    if (room == 0) return reply(absl::ResourceExhaustedError("busy"));
    --room;
    posted.push_back(std::get<core::ReportValidation>(command.body).report.seq);
    waiting.push_back([reply = std::move(reply)]() mutable { reply(core::Events()); });
  }
  absl::Status Follow(engine::OutputGate::Output then) override {
    waiting.push_back(std::move(then));
    return absl::OkStatus();
  }
  void Decide() {
    for (auto& answer : waiting) answer();
    waiting.clear();
  }

  int room = 100;
  std::vector<int64_t> posted;
  std::deque<engine::OutputGate::Output> waiting;
};

class Told : public Sender {
 public:
  void OnDurable(const StreamKey& /*stream*/, int64_t seq) override { seqs.push_back(seq); }
  void OnRoom() override {}
  std::vector<int64_t> seqs;

 protected:
  void OnRefused(const absl::Status& /*why*/) override {}
};

Report Of(int64_t seq, std::string group) {
  return {.id = {AllocationId(1), kRelayStream, seq}, .body = Metrics{std::move(group), seq, {}}};
}

class IntakeTest : public ::testing::Test {
 protected:
  void Take(std::vector<Report> reports, int64_t high) {
    std::vector<StoredShipment> stored;
    stored.push_back({sender, {.reports = std::move(reports)}, {.high = high}});
    TakeIn(inbox, stored);
  }
  Inbox inbox;
  const std::shared_ptr<Told> sender = std::make_shared<Told>();
};

TEST_F(IntakeTest, NothingIsAcknowledgedBeforeWhatStandsBeforeItIsDecided) {
  Take({Of(1, "validation")}, 1);
  Take({Of(2, "training")}, 2);
  EXPECT_THAT(sender->seqs, IsEmpty());
  inbox.Decide();
  EXPECT_THAT(sender->seqs, ElementsAre(1, 2));
}

TEST_F(IntakeTest, WhatIsNotStoredIsNotTaken) {
  Take({Of(1, "validation"), Of(3, "validation")}, 1);
  inbox.Decide();
  EXPECT_THAT(inbox.posted, ElementsAre(1));
  EXPECT_THAT(sender->seqs, ElementsAre(1));
}

TEST_F(IntakeTest, AfterARefusalNothingOfThatConnectionCounts) {
  Take({Of(1, "validation")}, 1);
  inbox.room = 0;
  Take({Of(2, "validation")}, 2);
  inbox.room = 100;
  Take({Of(3, "validation")}, 3);
  inbox.Decide();
  EXPECT_TRUE(sender->refused());
  EXPECT_THAT(inbox.posted, ElementsAre(1));
  EXPECT_THAT(sender->seqs, IsEmpty());
  // It comes again on another one.
  const auto next = std::make_shared<Told>();
  std::vector<StoredShipment> stored;
  stored.push_back({next, {.reports = {Of(2, "validation"), Of(3, "validation")}}, {.high = 3}});
  TakeIn(inbox, stored);
  inbox.Decide();
  EXPECT_THAT(inbox.posted, ElementsAre(1, 2, 3));
  EXPECT_THAT(next->seqs, ElementsAre(3));
}

}  // namespace
}  // namespace det::ingest
