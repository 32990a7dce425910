#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/json/json.h"
#include "master/core/authorize.h"
#include "master/core/decide.h"
#include "master/core/invariants.h"
#include "master/spec/parse.h"

// Moves in the queue against a plain list.
namespace det::core {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'000'000'000);

absl::Status Send(State& state, const CommandBody& body) {
  const auto events = Decide(state, {EditorOf(kFirstWorkspace, "ann"), body}, kNow);
  if (!events.ok()) return events.status();
  for (const EventBody& event : *events) Apply(state, {kNow, event});
  while (!state.dirty.empty()) {
    const Key key = *state.dirty.begin();
    state.dirty.erase(state.dirty.begin());
    for (const EventBody& event : Advance(state, key, kNow)) Apply(state, {kNow, event});
  }
  return absl::OkStatus();
}

void Submit(State& state) {
  Problems problems;
  auto spec = std::make_shared<const spec::ExperimentSpec>(spec::ParseExperiment(
      *ParseJson(R"({"entrypoint": "x", "searcher": {"name": "single", "metric": "loss"}})"),
      {.name = "test", .seed = 1, .checkpoint_host_path = "/c"},
      &problems));
  ASSERT_FALSE(HasErrors(problems));
  ASSERT_TRUE(Send(state, CreateExperiment{.spec = spec}).ok());
}

std::vector<int64_t> Order(const State& state) {
  std::vector<int64_t> order;
  for (const JobPlace& place : state.indexes.jobs) order.push_back(place.id.value());
  return order;
}

void MoveInList(std::vector<int64_t>& list, int64_t id, const QueueMove& move) {
  list.erase(std::find(list.begin(), list.end(), id));
  auto at = std::find(list.begin(), list.end(), move.beside.value());
  if (move.behind) ++at;
  list.insert(at, id);
}

TEST(Queue, GoesAsAListDoesWhateverIsMovedBesideWhat) {
  State state;
  std::vector<int64_t> list;
  std::mt19937 random(7);  // NOLINT: the same each time
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  for (int step = 0; step < 2000; ++step) {
    if (list.size() < 8 && step % 3 == 0) {
      Submit(state);
      list.push_back(static_cast<int64_t>(list.size()) + 1);
    }
    const int64_t id = list[below(list.size())];
    const int64_t beside = list[below(list.size())];
    const QueueMove move{ExperimentId(beside), below(2) == 0};
    const absl::Status status = Send(state, ConfigureExperiment{ExperimentId(id), {}, move});
    EXPECT_EQ(status.ok(), id != beside) << status;
    if (id != beside) MoveInList(list, id, move);
    ASSERT_EQ(Order(state), list) << "after step " << step;
  }
  EXPECT_EQ(BrokenInvariants(state), std::vector<std::string>());
}

// Between the same two there is room some twenty times; then those behind make some.
TEST(Queue, NeverRunsOutOfRoom) {
  State state;
  for (int i = 0; i < 4; ++i) Submit(state);
  std::vector<int64_t> list = {1, 2, 3, 4};
  for (int step = 0; step < 200; ++step) {
    const int64_t id = step % 2 == 0 ? 3 : 4;
    const QueueMove move{ExperimentId(2), false};
    ASSERT_TRUE(Send(state, ConfigureExperiment{ExperimentId(id), {}, move}).ok());
    MoveInList(list, id, move);
    ASSERT_EQ(Order(state), list) << "after step " << step;
  }
}

}  // namespace
}  // namespace det::core
