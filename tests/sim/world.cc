#include "tests/sim/world.h"

#include "common/base/hash.h"
#include "common/base/strings.h"
#include "common/json/json.h"
#include "master/core/authorize.h"
#include "master/core/explain.h"
#include "master/core/state_hash.h"
#include "master/engine/snapshotter.h"
#include "master/journal/codec.h"
#include "master/spec/parse.h"
#include "tests/sim/checker.h"
#include "tests/sim/metric_store.h"
#include "tests/sim/network.h"
#include "tests/sim/sim_host.h"
#include "tests/sim/sim_master.h"

namespace det::sim {
namespace {

constexpr absl::Duration kFaultPhase = absl::Seconds(900);
constexpr absl::Duration kEndPhase = absl::Hours(12);

std::shared_ptr<const spec::ExperimentSpec> RandomSpec(SimRng& rng) {
  static const std::vector<std::string> searchers = {
      R"("name": "single")",
      R"("name": "random", "max_trials": 5, "max_concurrent_trials": 3)",
      R"("name": "async_halving", "num_rungs": 3, "max_trials": 9, "divisor": 2, "max_concurrent_trials": 4,
         "time_metric": "batches", "max_time": 12)",
      R"("name": "adaptive_asha", "max_trials": 12, "divisor": 3, "mode": "conservative",
         "max_concurrent_trials": 5, "time_metric": "batches", "max_time": 9)"};
  const std::string json = StrCat(
      R"({"entrypoint": "x", "hyperparameters": {"x": {"type": "double", "minval": 0, "maxval": 1}},
          "searcher": {"metric": "loss", )",
      searchers[static_cast<size_t>(rng.Below(static_cast<int64_t>(searchers.size())))],
      R"(}, "resources": {"slots_per_trial": )",
      rng.Below(3),
      R"(, "priority": )",
      40 + rng.Below(3),
      R"(, "weight": )",
      1 + rng.Below(3),
      rng.Chance(0.2) ? R"(, "max_slots": 2)" : "",
      R"(}, "max_restarts": )",
      rng.Below(4),
      R"(, "preemption_timeout": )",
      20 + rng.Below(100),
      R"(, "checkpoint_storage": {"type": "shared_fs", "host_path": "/c"},
          "reproducibility": {"experiment_seed": )",
      rng.Below(1000),
      R"(},
          "data": {"target": )",
      3 + rng.Below(12),
      R"(, "cooperates": )",
      rng.Chance(0.7) ? "true" : "false",
      "}}");
  Problems problems;
  return std::make_shared<const spec::ExperimentSpec>(
      spec::ParseExperiment(*ParseJson(json), {}, &problems));
}

// Pools that take back slots, by priority or by share, and a quota at times.
scheduler::Rules RandomRules(SimRng& rng) {
  scheduler::Rules rules;
  rules.defaults.policy = static_cast<scheduler::Policy>(rng.Below(3));
  rules.defaults.preemption = rng.Chance(0.7);
  rules.defaults.fitting = static_cast<scheduler::Fitting>(rng.Below(2));
  if (rng.Chance(0.3)) rules.user_slots["ann"] = 2 + rng.Below(3);
  // So that jobs age while the world lasts.
  if (rng.Chance(0.5)) rules.age_every = absl::Seconds(60);
  return rules;
}

class World {
 public:
  explicit World(const Options& options)
      : kernel_(options),
        network_(kernel_),
        store_(std::make_shared<journal::MemoryStore>()),
        rules_(RandomRules(kernel_.rng)),
        metrics_(store_),
        checker_(kernel_, store_, metrics_) {
    network_.on_broken = [this](const std::shared_ptr<Connection>& c) {
      for (const auto& master : masters_) {
        if (master->alive()) master->OnBroken(c);
      }
      if (SimHost* host = FindHost(c->agent)) host->OnBroken(c);
    };
  }

  Outcome Run() {
    StartMaster();
    const int64_t hosts = 1 + kernel_.rng.Below(3);
    for (int64_t i = 0; i < hosts; ++i) AddHost(static_cast<int>(2 + kernel_.rng.Below(3)), i);
    ScheduleUsers();
    kernel_.After(kFaultPhase, [this] { EndFaults(); });
    const absl::Time deadline = kernel_.now() + kFaultPhase + kEndPhase;
    while (kernel_.Step() && !done_) {
      if (kernel_.now() > deadline) FailLiveness();
    }
    if (kernel_.failure().empty()) checker_.AtEnd();
    Outcome outcome{.failure = kernel_.failure(), .counters = kernel_.counters};
    StableHasher hasher;
    hasher.Feed(kernel_.rng.Bits());
    hasher.Feed(static_cast<uint64_t>(store_->events.size()));
    for (const std::string& event : store_->events) hasher.Feed(event);
    outcome.fingerprint = hasher.Finish();
    return outcome;
  }

 private:
  SimHost* FindHost(const AgentId& id) {
    const auto it = hosts_.find(id);
    return it == hosts_.end() ? nullptr : it->second.get();
  }

  void AddHost(int slots, int64_t number) {
    const AgentId id(StrCat("host-", number));
    SimHost::Deps deps{kernel_, network_, checker_, [this]() -> MasterPort* {
                         return current_ != nullptr && current_->serving() ? current_.get()
                                                                           : nullptr;
                       }};
    hosts_[id] = std::make_unique<SimHost>(deps, id, slots);
    hosts_[id]->StartAgent();
  }

  void StartMaster() {
    current_ = std::make_shared<SimMaster>(
        SimMaster::Deps{.kernel = kernel_,
                        .network = network_,
                        .store = store_,
                        .rules = rules_,
                        .metrics = metrics_,
                        .checker = checker_,
                        .agent = [this](const AgentId& id) -> AgentPort* { return FindHost(id); },
                        .on_death = [this] { OnMasterDeath(); },
                        .on_lease_stolen = [this] { StartMaster(); }});
    masters_.push_back(current_);
    current_->Start();
  }

  void OnMasterDeath() {
    if (current_->alive()) return;  // an older one died; its successor is here
    kernel_.After(absl::Seconds(kernel_.rng.Between(0.1, 5)), [this] {
      if (!current_->alive()) StartMaster();
    });
  }

  void ScheduleUsers() {
    const int64_t experiments = 1 + kernel_.rng.Below(4);
    for (int64_t i = 0; i < experiments; ++i) {
      kernel_.After(absl::Seconds(kernel_.rng.Between(0, 300)), [this] { Submit(); });
    }
    const int64_t verbs = kernel_.rng.Below(20);
    for (int64_t i = 0; i < verbs; ++i) {
      kernel_.After(absl::Seconds(kernel_.rng.Between(5, 800)), [this] { RandomVerb(); });
    }
    for (int64_t i = kernel_.rng.Below(5); i > 0; --i) {
      kernel_.After(absl::Seconds(kernel_.rng.Between(5, 800)), [this] { RandomAvailability(); });
    }
  }

  core::Command AsUser(core::CommandBody body) {
    return {core::EditorOf(kFirstWorkspace, "ann"), std::move(body)};
  }

  void Submit() {
    if (!current_->serving()) {
      kernel_.After(absl::Seconds(1), [this] { Submit(); });
      return;
    }
    core::CreateExperiment create{.spec = RandomSpec(kernel_.rng),
                                  .paused = kernel_.rng.Chance(0.2)};
    current_->Post(AsUser(create), [this](const absl::StatusOr<core::Events>& result) {
      if (!result.ok())
        return kernel_.Fail(StrCat("submit: ", FromAbsl(result.status().message())));
      const ExperimentId id = std::get<core::ExperimentCreated>(result->front()).id;
      ++kernel_.counters.experiments;
      checker_.OnCreated(id);
      known_.push_back(id);
      kernel_.Log(StrCat("experiment ", id.value(), " promised"));
    });
  }

  void RandomVerb() {
    if (known_.empty() || !current_->serving()) return;
    const ExperimentId id =
        known_[static_cast<size_t>(kernel_.rng.Below(static_cast<int64_t>(known_.size())))];
    core::CommandBody body = core::PauseExperiment{id};
    const double which = kernel_.rng.Between(0, 1);
    if (which > 0.45) body = core::ActivateExperiment{id};
    if (which > 0.8) body = core::CancelExperiment{id};
    if (which > 0.9) body = core::KillExperiment{id};
    if (which < 0.1) body = core::ConfigureExperiment{id, RandomSettings()};
    if (which >= 0.1 && which < 0.2) body = core::KillTrial{RandomTrial(id)};
    if (which >= 0.2 && which < 0.3) return Continue(id);
    current_->Post(AsUser(body), [](const auto&) {});
  }

  static core::Command AsAdmin(core::CommandBody body) {
    return {{core::Role::kAdmin, "root"}, std::move(body)};
  }

  // An administrator takes a machine or a slot out, or back in.
  void RandomAvailability() {
    if (!current_->serving()) return;
    auto host = hosts_.begin();
    std::advance(host, kernel_.rng.Below(static_cast<int64_t>(hosts_.size())));
    const AgentId id = host->first;
    const std::optional<int> slot = kernel_.rng.Chance(0.3) ? std::optional<int>(0) : std::nullopt;
    core::CommandBody body = core::EnableAgent{id, slot};
    if (kernel_.rng.Chance(0.7)) {
      core::DisableAgent disable{.id = id, .slot = slot, .drain = kernel_.rng.Chance(0.5)};
      if (disable.drain && kernel_.rng.Chance(0.7))
        disable.drain_for = absl::Seconds(kernel_.rng.Between(1, 200));
      body = disable;
    }
    current_->Post(AsAdmin(std::move(body)), [](const auto&) {});
  }

  void EnableAll(const core::State& state) {
    for (const auto& [id, agent] : state.agents) {
      if (agent.disabled.has_value())
        current_->Post(AsAdmin(core::EnableAgent{id, std::nullopt}), [](const auto&) {});
      for (const auto& [slot, how] : agent.disabled_slots)
        current_->Post(AsAdmin(core::EnableAgent{id, slot}), [](const auto&) {});
    }
  }

  core::ExperimentSettings RandomSettings() {
    core::ExperimentSettings settings;
    if (kernel_.rng.Chance(0.5)) settings.priority = 1 + kernel_.rng.Below(99);
    if (kernel_.rng.Chance(0.5)) settings.pool = "default";
    if (kernel_.rng.Chance(0.3)) settings.max_slots = 4 + kernel_.rng.Below(8);
    if (kernel_.rng.Chance(0.3)) settings.weight = kernel_.rng.Between(0.1, 10);
    return settings;
  }

  // One that may have ended, or belong to another experiment: the verb must stand both.
  TrialId RandomTrial(ExperimentId id) {
    const core::Experiment* experiment = current_->state().Find(id);
    if (experiment == nullptr || experiment->open_trials.empty()) return TrialId(1);
    return experiment->open_trials.begin()->second;
  }

  // As the master's door does: after a barrier, from the store.
  void Continue(ExperimentId id) {
    const std::shared_ptr<SimMaster> master = current_;
    const absl::Status queued = master->Follow([this, master, id] {
      std::optional<core::ContinueExperiment> command = Ended(id);
      if (!command.has_value() || !master->serving()) return;
      kernel_.After(absl::Milliseconds(1), [this, master, command = *std::move(command)] {
        if (master->serving()) master->Post(AsUser(command), [](const auto&) {});
      });
    });
    if (!queued.ok()) kernel_.Log("continue: the master is busy");
  }

  std::optional<core::ContinueExperiment> Ended(ExperimentId id) const {
    std::optional<core::ContinueExperiment> command;
    const auto experiment = EndedRow(core::Key(id));
    if (!experiment.has_value()) return command;
    command.emplace().ended = *journal::DecodeEndedExperiment(*experiment);
    for (const auto& [key, row] : store_->rows) {
      if (key.first != journal::Table::kTrials) continue;
      if (row.Find("experiment_id")->as_int() != id.value()) continue;
      const bool completed = row.Find("state")->as_string() == "COMPLETED";
      if (completed && !command->ended.IsSingle()) continue;
      const auto trial = EndedRow(core::Key(TrialId(row.Find("id")->as_int())));
      if (trial.has_value()) command->trials.push_back(*journal::DecodeEndedTrial(*trial));
    }
    return command;
  }

  std::optional<std::string> EndedRow(const core::Key& key) const {
    const std::string name = QuoteJson(engine::SnapshotKey(key));
    const auto row = store_->rows.find({journal::Table::kEnded, name});
    if (row == store_->rows.end()) return std::nullopt;
    const std::string& hex = row->second.Find("record")->as_string();
    std::string bytes;
    for (size_t i = 2; i + 1 < hex.size(); i += 2) {
      bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    }
    return bytes;
  }

  void EndFaults() {
    kernel_.StopFaults();
    kernel_.Log("no more faults");
    Settle();
  }

  // Lets paused experiments go on until everything has ended and nothing is left running.
  void Settle() {
    if (current_->serving()) {
      const core::State& state = current_->state();
      EnableAll(state);
      for (const auto& [id, experiment] : state.experiments) {
        if (experiment.state == core::ExperimentState::kPaused) {
          current_->Post(AsUser(core::ActivateExperiment{id}), [](const auto&) {});
        }
      }
      int64_t processes = 0;
      for (const auto& [id, host] : hosts_) processes += host->live_processes();
      if (state.experiments.empty() && processes == 0 && current_->all_durable()) {
        return Finish(state);
      }
    }
    kernel_.After(absl::Seconds(20), [this] { Settle(); });
  }

  void Finish(const core::State& state) {
    for (const auto& [id, agent] : state.agents) {
      const scheduler::AgentSlots* slots = state.indexes.view.FindAgent(id);
      if (slots->free.size() != slots->slots.size()) kernel_.Fail("slots are held at rest");
    }
    kernel_.counters.trials += state.next.trial - 1;
    done_ = true;
  }

  void FailLiveness() {
    std::string text = "work does not end:";
    if (current_->serving()) {
      const core::State& state = current_->state();
      for (const auto& [id, experiment] : state.experiments) {
        const auto why = core::Explain(state, id, kernel_.now());
        StrAppend(text, "\n  ", why->subject, " is ", why->state, ": ", why->reason.text);
        for (const std::string& detail : why->details) StrAppend(text, "\n    ", detail);
      }
    }
    for (const auto& [id, host] : hosts_) {
      StrAppend(text, "\n  ", id.value(), " runs ", host->live_processes(), " processes");
    }
    kernel_.Fail(text);
  }

  Kernel kernel_;
  Network network_;
  std::shared_ptr<journal::MemoryStore> store_;
  const scheduler::Rules rules_;
  MetricStore metrics_;
  Checker checker_;
  std::vector<std::shared_ptr<SimMaster>> masters_;
  std::shared_ptr<SimMaster> current_;
  std::map<AgentId, std::unique_ptr<SimHost>> hosts_;
  std::vector<ExperimentId> known_;
  bool done_ = false;
};

}  // namespace

Outcome RunWorld(const Options& options) {
  return World(options).Run();
}

}  // namespace det::sim
