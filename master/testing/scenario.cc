#include "master/testing/scenario.h"

#include "common/base/strings.h"
#include "master/testing/commands.h"

namespace det::test {
namespace {

struct Run {
  AgentId agent;
  AllocationId allocation;
};

std::vector<Run> Runs(TestEngine& engine) {
  std::vector<Run> runs;
  engine.Read([&](const core::State& state) {
    runs.clear();
    for (const auto& [id, task] : state.indexes.allocations)
      runs.push_back({state.Find(task)->allocation->agent, id});
  });
  return runs;
}

void Live(TestEngine& engine, const Run& run) {
  const auto& [agent, id] = run;
  engine.Must(Running(agent, id));
  for (int64_t seq = 1; seq <= 2; ++seq) {
    const double loss = 1.0 / static_cast<double>(id.value() + seq);
    engine.Must(Validated(agent, {id, 0, seq}, loss));
  }
  engine.Must(AsAgent(agent,
                      core::ReportCheckpoint{.agent = agent,
                                             .report = {id, 0, 3},
                                             .uuid = StrCat("checkpoint-", id.value()),
                                             .steps_completed = 2,
                                             .bytes = 10,
                                             .files = Value(Value::Object{{"model", 10}}),
                                             .metadata = Value(Value::Object{})}));
  engine.Must(Exited(agent, id, id.value() % 7 == 0 ? 1 : 0));
}

}  // namespace

void StartSearches(TestEngine& engine) {
  engine.Must(Connect(AgentId("a"), 2));
  engine.Must(Connect(AgentId("b"), 2));
  engine.Must(Submit(R"({"searcher":{"name":"random","max_trials":5}})"));
  engine.Must(Submit(R"({"searcher":{"name":"adaptive_asha","max_trials":8,"max_rungs":2,
                        "time_metric":"batches","max_time":16}})"));
  core::Command paused = Submit(R"({"searcher":{"name":"single"}})");
  std::get<core::CreateExperiment>(paused.body).paused = true;
  engine.Must(std::move(paused));
}

bool PlayRound(TestEngine& engine) {
  const std::vector<Run> runs = Runs(engine);
  for (const Run& run : runs) Live(engine, run);
  return !runs.empty();
}

void PlayToEnd(TestEngine& engine) {
  while (PlayRound(engine)) {
  }
}

}  // namespace det::test
