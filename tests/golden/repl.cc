#include "tests/golden/repl.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "common/base/overload.h"
#include "common/base/strings.h"
#include "common/json/json.h"
#include "master/core/authorize.h"
#include "master/core/desired.h"
#include "master/core/explain.h"
#include "master/core/index.h"
#include "master/core/invariants.h"
#include "master/spec/parse.h"

namespace det::golden {
namespace {

using core::AllocationState;

const absl::Time kStart = absl::FromUnixSeconds(1'000'000'000);

struct Describer {
  std::string operator()(const core::ExperimentCreated& e) const {
    return StrCat("experiment ", e.id.value(), " created", e.paused ? " paused" : "");
  }
  std::string operator()(const core::ExperimentReordered& e) const {
    return StrCat("experiment ", e.id.value(), " goes to ", e.position);
  }
  std::string operator()(const core::ExperimentConfigured& e) const {
    return StrCat("experiment ", e.id.value(), " configured: ", e.reason.text);
  }
  std::string operator()(const core::ExperimentContinued& e) const {
    return StrCat("experiment ",
                  e.experiment.id.value(),
                  " continued with ",
                  e.experiment.open_trials.size(),
                  " trials");
  }
  std::string operator()(const core::ExperimentMoved& e) const {
    return StrCat("experiment ", e.id.value(), " -> ", core::Name(e.to), " (", e.reason.text, ")");
  }
  std::string operator()(const core::SearchAdvanced& e) const {
    return StrCat("experiment ", e.id.value(), " search: ", e.facts.size(), " facts");
  }
  std::string operator()(const core::BestFound& e) const {
    return StrCat("experiment ",
                  e.id.value(),
                  " best: trial ",
                  e.best.trial.value(),
                  " ",
                  FormatDouble(e.best.metric));
  }
  std::string operator()(const core::TrialCreated& e) const {
    return StrCat("trial ", e.id.value(), " created");
  }
  std::string operator()(const core::TrialContinued& e) const {
    return StrCat("trial ", e.trial.id.value(), " continued");
  }
  std::string operator()(const core::TrialMoved& e) const {
    return StrCat("trial ", e.id.value(), " -> ", core::Name(e.to), " (", e.reason.text, ")");
  }
  std::string operator()(const core::TrialRestarted& e) const {
    return StrCat("trial ",
                  e.id.value(),
                  " restarts",
                  e.infrastructure ? ", not its fault" : "",
                  " (",
                  e.reason.text,
                  ")");
  }
  std::string operator()(const core::ValidationRecorded& e) const {
    return StrCat("trial ", e.id.value(), " validated at ", e.steps_completed);
  }
  std::string operator()(const core::CheckpointRecorded& e) const {
    return StrCat("trial ", e.id.value(), " checkpoint ", e.uuid);
  }
  std::string operator()(const core::HparamsRefused& e) const {
    return StrCat("trial ", e.id.value(), " refuses its hyperparameters");
  }
  std::string operator()(const core::StopReported& e) const {
    return StrCat("trial ", e.id.value(), " says that it stops");
  }
  std::string operator()(const core::PreemptionAnnounced& e) const {
    return StrCat("trial ", e.id.value(), " says that its machine goes");
  }
  std::string operator()(const core::LogPolicyMatched& e) const {
    return StrCat("trial ", e.id.value(), " ", core::Describe(e.match));
  }
  std::string operator()(const core::TaskRevised& e) const {
    std::string excluded;
    for (const AgentId& agent : e.excluded) StrAppend(excluded, ", not ", agent.value());
    return StrCat("task ", e.id.value(), " asks for pool ", e.pool, excluded);
  }
  std::string operator()(const core::TaskCreated& e) const {
    return StrCat("task ", e.id.value(), " created");
  }
  std::string operator()(const core::TaskQueued& e) const {
    return StrCat("task ", e.id.value(), " queued");
  }
  std::string operator()(const core::TaskDequeued& e) const {
    return StrCat("task ", e.id.value(), " leaves the queue");
  }
  std::string operator()(const core::TaskDelayed& e) const {
    return StrCat("task ",
                  e.id.value(),
                  " waits until ",
                  absl::ToUnixSeconds(e.until) - absl::ToUnixSeconds(kStart),
                  "s after ",
                  e.reason.text,
                  e.avoid.empty() ? "" : StrCat(", avoids ", e.avoid.value()));
  }
  std::string operator()(const core::TaskReady& e) const {
    return StrCat("task ", e.id.value(), " has waited");
  }
  std::string operator()(const core::AllocationPlaced& e) const {
    return StrCat("allocation ",
                  e.id.value(),
                  " of task ",
                  e.task.value(),
                  " placed on ",
                  e.agent.value(),
                  " slots [",
                  StrJoin(e.slots, ","),
                  "]");
  }
  std::string operator()(const core::AllocationMoved& e) const {
    return StrCat("allocation ", e.id.value(), " -> ", core::Name(e.to));
  }
  std::string operator()(const core::AllocationSignaled& e) const {
    return StrCat(
        "allocation ", e.id.value(), " told to ", core::Name(e.level), " (", e.reason.text, ")");
  }
  std::string operator()(const core::AllocationEnded& e) const {
    return StrCat("allocation ", e.id.value(), " ended");
  }
  std::string operator()(const core::AgentConnected& e) const {
    return StrCat("agent ", e.id.value(), " connected, session ", e.session);
  }
  std::string operator()(const core::AgentDisconnected& e) const {
    return StrCat("agent ", e.id.value(), " away");
  }
  std::string operator()(const core::AgentLost& e) const {
    return StrCat("agent ", e.id.value(), " lost");
  }
  std::string operator()(const core::AgentDisabled& e) const {
    return StrCat("agent ", e.id.value(), " disabled (", e.how.reason.text, ")");
  }
  std::string operator()(const core::AgentEnabled& e) const {
    return StrCat("agent ", e.id.value(), " enabled (", e.reason.text, ")");
  }
};

std::string Describe(const core::EventBody& body) {
  return std::visit(Describer(), body);
}

core::Command AsMaster(core::CommandBody body) {
  return {{core::Role::kMaster, "master"}, std::move(body)};
}
core::Command AsAgent(const AgentId& agent, core::CommandBody body) {
  return {{core::Role::kAgent, agent.value()}, std::move(body)};
}

int64_t Number(const std::vector<std::string>& words, size_t i) {
  return i < words.size() ? std::strtoll(words[i].c_str(), nullptr, 10) : 0;
}

}  // namespace

Repl::Repl() : now_(kStart) {}

std::string Repl::Run(std::string_view line) {
  std::istringstream in{std::string(line)};
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  if (words.empty() || words[0][0] == '#') return "";
  std::string text = Execute(words, line);
  for (const std::string& broken : core::BrokenInvariants(state_))
    StrAppend(text, "BROKEN: ", broken, "\n");
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::string Repl::Execute(const std::vector<std::string>& words, std::string_view line) {
  const std::string& verb = words[0];
  const ExperimentId experiment(Number(words, 1));
  const AllocationId allocation(Number(words, 1));
  const core::Principal user = core::EditorOf(kFirstWorkspace, user_);
  if (verb == "agent") return Agent(words);
  if (verb == "scheduler") return Scheduler(words);
  if (verb == "user") {
    user_ = words[1];
    return "";
  }
  if (verb == "leave") {
    const AgentId id(words[1]);
    const core::Agent* agent = state_.Find(id);
    return Send(AsAgent(id, core::DisconnectAgent{id, agent == nullptr ? 0 : agent->session}));
  }
  if (verb == "disable" || verb == "drain" || verb == "enable") return Availability(words);
  if (verb == "submit") return Submit(line.substr(line.find("submit") + 6));
  if (verb == "pause") return Send({user, core::PauseExperiment{experiment}});
  if (verb == "activate") return Send({user, core::ActivateExperiment{experiment}});
  if (verb == "cancel") return Send({user, core::CancelExperiment{experiment}});
  if (verb == "kill") return Send({user, core::KillExperiment{experiment}});
  if (verb == "set") return Configure(words);
  if (verb == "kill-trial") return Send({user, core::KillTrial{TrialId(Number(words, 1))}});
  if (verb == "continue") return Continue(experiment);
  if (verb == "stop") return Report(core::ReportStop{}, allocation);
  if (verb == "announce") return Report(core::ReportPreemption{}, allocation);
  if (verb == "log") return LogMatch(words);
  if (verb == "run") {
    const core::Task* task = state_.FindByAllocation(allocation);
    const AgentId agent = task == nullptr ? AgentId("?") : task->allocation->agent;
    return Send(
        AsAgent(agent, core::ReportStatus{agent, allocation, AllocationState::kRunning, {}}));
  }
  if (verb == "exit") return Exit(words);
  if (verb == "validate") return Validate(words);
  if (verb == "checkpoint") {
    return Report(core::ReportCheckpoint{.uuid = StrCat("c", words[1], "-", words[2]),
                                         .steps_completed = Number(words, 2)},
                  allocation);
  }
  if (verb == "refuse") return Report(core::ReportInvalidHparams{}, allocation);
  if (verb == "again") return Send(*last_report_);
  if (verb == "wait") {
    now_ += absl::Seconds(Number(words, 1));
    return Settle("");
  }
  if (verb == "show") return Show();
  if (verb == "desired") return Desired(words[1]);
  if (verb == "why") return Why(words);
  return StrCat("unknown command ", verb);
}

std::string Repl::Send(const core::Command& command) {
  const absl::StatusOr<core::Events> events = core::Decide(state_, command, now_);
  if (!events.ok()) return StrCat("error: ", FromAbsl(events.status().message()));
  return Settle(ApplyAll(*events));
}

std::string Repl::Settle(std::string text) {
  const auto advance = [&] {
    while (!state_.dirty.empty()) {
      const core::Key key = *state_.dirty.begin();
      state_.dirty.erase(state_.dirty.begin());
      text += ApplyAll(core::Advance(state_, key, now_));
    }
  };
  advance();
  while (core::NextDeadline(state_) <= now_) {
    text += ApplyAll(*core::Decide(state_, AsMaster(core::Tick{}), now_));
    advance();
  }
  const std::set<std::string> pools = state_.indexes.view.dirty();
  for (const std::string& pool : pools) {
    bool more = false;
    text += ApplyAll(*core::SchedulePool(state_, pool, now_, &more));
    state_.indexes.view.ClearDirty(pool);
    advance();
  }
  return text;
}

std::string Repl::ApplyAll(core::Events events) {
  std::string text;
  for (core::EventBody& body : events) {
    StrAppend(text, Describe(body), "\n");
    core::Apply(state_, {now_, std::move(body)});
    for (core::Experiment& e : state_.departed.experiments) ended_[e.id] = std::move(e);
    for (size_t i = 0; i < state_.departed.trials.size(); ++i) {
      core::Trial& trial = state_.departed.trials[i];
      ended_trials_[trial.id] = {std::move(trial), state_.departed.tasks[i].runs};
    }
    state_.departed = {};
  }
  return text;
}

std::string Repl::Agent(const std::vector<std::string>& words) {
  const AgentId id(words[1]);
  core::ConnectAgent connect{.id = id, .pool = "default", .instance = words[1], .version = "1"};
  for (int i = 0; i < Number(words, 2); ++i) connect.slots.push_back({i, "artificial", ""});
  if (words.size() > 3 && words[3] == "holds") {
    for (size_t i = 4; i < words.size(); ++i) {
      connect.held.push_back({AllocationId(Number(words, i)), AllocationState::kRunning});
    }
  } else {
    if (words.size() > 3) connect.pool = words[3];
    const auto on_agent = state_.indexes.on_agent.find(id);
    if (on_agent != state_.indexes.on_agent.end()) {
      for (const auto& [allocation, task] : on_agent->second) {
        connect.held.push_back({allocation, state_.Find(task)->allocation->state});
      }
    }
  }
  return Send(AsAgent(id, connect));
}

// disable AGENT [SLOT], drain AGENT SECONDS [SLOT], enable AGENT [SLOT]
std::string Repl::Availability(const std::vector<std::string>& words) {
  const core::Principal admin{core::Role::kAdmin, "root"};
  const bool drain = words[0] == "drain";
  const size_t at = drain ? 3 : 2;
  const std::optional<int> slot =
      words.size() > at ? std::optional<int>(static_cast<int>(Number(words, at))) : std::nullopt;
  if (words[0] == "enable") return Send({admin, core::EnableAgent{AgentId(words[1]), slot}});
  core::DisableAgent disable{.id = AgentId(words[1]), .slot = slot, .drain = drain};
  if (drain) disable.drain_for = absl::Seconds(Number(words, 2));
  return Send({admin, std::move(disable)});
}

std::string Repl::Submit(std::string_view json) {
  Value config = *ParseJson(json);
  if (config.Find("entrypoint") == nullptr) config["entrypoint"] = "x";
  if (config.FindPath("searcher.metric") == nullptr) config["searcher"]["metric"] = "loss";
  if (config.Find("hyperparameters") == nullptr) {
    config["hyperparameters"]["x"] =
        Value::Object{{"type", "double"}, {"minval", 0}, {"maxval", 1}};
  }
  Problems problems;
  auto spec = std::make_shared<const spec::ExperimentSpec>(spec::ParseExperiment(
      config, {.name = "test", .seed = 1, .checkpoint_host_path = "/c"}, &problems));
  std::string text;
  for (const Problem& problem : problems)
    StrAppend(text, problem.path, ": ", problem.message, "\n");
  if (HasErrors(problems)) return text;
  return text +
         Send({core::EditorOf(kFirstWorkspace, user_), core::CreateExperiment{.spec = spec}});
}

// The rules are not part of what is recorded: another master may have others.
std::string Repl::Scheduler(const std::vector<std::string>& words) {
  scheduler::Rules rules;
  if (words[1] == "fifo") rules.defaults.policy = scheduler::Policy::kFifo;
  if (words[1] == "fair_share") rules.defaults.policy = scheduler::Policy::kFairShare;
  for (size_t i = 2; i < words.size(); ++i) {
    const size_t equals = words[i].find('=');
    if (equals == std::string::npos) {
      rules.defaults.preemption = words[i] == "preemption";
    } else {
      rules.user_slots[words[i].substr(0, equals)] =
          std::strtoll(words[i].c_str() + equals + 1, nullptr, 10);
    }
  }
  state_.indexes = core::BuildIndexes(state_, rules);
  return Settle("");
}

std::string Repl::Report(core::CommandBody body, AllocationId id) {
  const core::Task* task = state_.FindByAllocation(id);
  const AgentId agent = task == nullptr ? AgentId("a") : task->allocation->agent;
  const core::ReportId report{id, 0, ++seqs_[id]};
  std::visit(overloaded{
                 [&](core::ReportValidation& c) { c.agent = agent, c.report = report; },
                 [&](core::ReportCheckpoint& c) { c.agent = agent, c.report = report; },
                 [&](core::ReportInvalidHparams& c) { c.agent = agent, c.report = report; },
                 [&](core::ReportStop& c) { c.agent = agent, c.report = report; },
                 [&](core::ReportPreemption& c) { c.agent = agent, c.report = report; },
                 [](auto&) {},
             },
             body);
  last_report_ = AsAgent(agent, std::move(body));
  return Send(*last_report_);
}

std::string Repl::Validate(const std::vector<std::string>& words) {
  core::ReportValidation report{.steps_completed = Number(words, 2),
                                .metrics = Value(Value::Object{})};
  if (words[3] == "none") {
    report.metrics["other"] = 1.0;
  } else if (words[3] == "nan") {
    report.metrics["loss"] = std::nan("");
  } else {
    report.metrics["loss"] = std::strtod(words[3].c_str(), nullptr);
  }
  return Report(std::move(report), AllocationId(Number(words, 1)));
}

std::string Repl::Configure(const std::vector<std::string>& words) {
  core::ConfigureExperiment configure{.id = ExperimentId(Number(words, 2))};
  if (words[1] == "priority") configure.settings.priority = Number(words, 3);
  if (words[1] == "weight") configure.settings.weight = std::strtod(words[3].c_str(), nullptr);
  if (words[1] == "pool") configure.settings.pool = words[3];
  if (words[1] == "ahead-of" || words[1] == "behind-of")
    configure.move = core::QueueMove{ExperimentId(Number(words, 3)), words[1] == "behind-of"};
  if (words[1] == "max-slots") {
    configure.settings.max_slots.emplace();
    if (words[3] != "none") configure.settings.max_slots = Number(words, 3);
  }
  return Send({core::EditorOf(kFirstWorkspace, "ann"), configure});
}

// As the master does: with the incomplete trials of a search, or the one of a single.
std::string Repl::Continue(ExperimentId id) {
  const auto ended = ended_.find(id);
  if (ended == ended_.end()) return "not ended";
  core::ContinueExperiment command{.ended = ended->second};
  for (const auto& [trial_id, trial] : ended_trials_) {
    const bool completed = trial.trial.state == core::TrialState::kCompleted;
    if (trial.trial.experiment != id || (completed && !ended->second.IsSingle())) continue;
    command.trials.push_back(trial);
  }
  return Send({core::EditorOf(kFirstWorkspace, "ann"), command});
}

std::string Repl::LogMatch(const std::vector<std::string>& words) {
  const AllocationId id(Number(words, 1));
  const core::Task* task = state_.FindByAllocation(id);
  if (task == nullptr) return "no such run";
  core::ReportLogMatch report{
      .allocation = id,
      .trial = task->trial,
      .match = {.policy = words[3], .agent = task->allocation->agent, .line = "a line"}};
  if (words[2] == "cancel_retries") report.match.action = spec::LogAction::kCancelRetries;
  if (words[2] == "exclude_node") report.match.action = spec::LogAction::kExcludeNode;
  last_report_ = AsAgent(task->allocation->agent, report);
  return Send(*last_report_);
}

std::string Repl::Exit(const std::vector<std::string>& words) {
  const AllocationId id(Number(words, 1));
  const core::Task* task = state_.FindByAllocation(id);
  const AgentId agent = task == nullptr ? AgentId("?") : task->allocation->agent;
  core::Exit exit{.code = Number(words, 2), .on_order = words.size() > 3};
  if (words[2] == "lost") exit.kind = core::ExitKind::kLost;
  if (words[2] == "unprepared") {
    exit = {.kind = core::ExitKind::kPrepareFailed, .text = "no space left on /data"};
  }
  return Send(AsAgent(agent, core::ReportStatus{agent, id, AllocationState::kTerminated, exit}));
}

std::string Repl::Show() const {
  std::string text;
  for (const auto& [id, e] : state_.experiments) {
    StrAppend(text,
              "experiment ",
              id.value(),
              " ",
              core::Name(e.state),
              " open trials ",
              e.open_trials.size(),
              "\n");
  }
  for (const auto& [id, t] : state_.trials) {
    StrAppend(
        text,
        "  trial ",
        id.value(),
        " ",
        core::ShownState(state_, t),
        " restarts ",
        t.restarts,
        "+",
        t.infrastructure_restarts,
        t.latest_checkpoint.has_value() ? StrCat(" checkpoint ", t.latest_checkpoint->uuid) : "",
        "\n");
  }
  for (const auto& [id, a] : state_.agents) {
    StrAppend(text,
              "agent ",
              id.value(),
              a.connected ? " connected"
              : a.lost    ? " lost"
                          : " away",
              " free ",
              state_.indexes.view.FindAgent(id)->free.size(),
              "/",
              a.slots.size(),
              "\n");
  }
  return text.empty() ? "nothing\n" : text;
}

std::string Repl::Desired(const std::string& agent) const {
  std::string text;
  for (const core::DesiredAllocation& a : core::Desired(state_, AgentId(agent)).allocations) {
    StrAppend(text, "allocation ", a.id.value(), " ", core::Name(a.level));
    if (a.order.has_value()) {
      StrAppend(text,
                " order: trial ",
                a.order->trial.value(),
                " from ",
                a.order->latest_checkpoint.empty() ? "the beginning" : a.order->latest_checkpoint);
    }
    text += "\n";
  }
  return text.empty() ? "nothing\n" : text;
}

std::string Repl::Why(const std::vector<std::string>& words) const {
  absl::StatusOr<core::Explanation> why = absl::UnknownError("experiment, trial or allocation");
  if (words[1] == "experiment") why = core::Explain(state_, ExperimentId(Number(words, 2)), now_);
  if (words[1] == "trial") why = core::Explain(state_, TrialId(Number(words, 2)), now_);
  if (words[1] == "allocation") why = core::Explain(state_, AllocationId(Number(words, 2)), now_);
  if (!why.ok()) return StrCat("error: ", FromAbsl(why.status().message()));
  std::string text = StrCat(why->subject, " is ", why->state, ": ", why->reason.text, "\n");
  for (const std::string& detail : why->details) StrAppend(text, "  ", detail, "\n");
  return text;
}

}  // namespace det::golden
