#include "cli/view/cluster_view.h"

#include <algorithm>

#include "cli/client/client.h"
#include "cli/view/columns.h"
#include "cli/view/history_view.h"
#include "cli/view/hparams.h"
#include "cli/view/proto_document.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

int64_t FreeSlots(const api::Agent& agent) {
  return std::count_if(agent.slots().begin(), agent.slots().end(), [](const api::Slot& slot) {
    return slot.trial() == 0 && !slot.has_disabled();
  });
}

// A slot with the agent that has it.
struct AgentSlot {
  std::string agent;
  api::Slot slot;
};

Document SlotDocument(const AgentSlot& at) {
  Document::Map map = {{"agent", at.agent}};
  const Document slot = ToDocument(at.slot);
  map.insert(map.end(), slot.map().begin(), slot.map().end());
  return map;
}

std::string SlotState(const api::Slot& slot) {
  if (!slot.has_disabled()) return slot.trial() == 0 ? "FREE" : "HELD";
  return slot.disabled().drain() && slot.trial() != 0 ? "DRAINING" : "DISABLED";
}

Table SlotTable(const std::vector<AgentSlot>& slots) {
  using S = AgentSlot;
  static const auto* const columns = new std::vector<ColumnOf<S>>{
      {{.name = "agent", .shrinks = true}, [](const S& s) -> Cell { return s.agent; }},
      {{"index", Align::kRight}, [](const S& s) -> Cell { return int64_t{s.slot.index()}; }},
      {{"kind"}, [](const S& s) { return TextCell(s.slot.kind()); }},
      {{.name = "name", .shrinks = true}, [](const S& s) { return TextCell(s.slot.name()); }},
      {{"state"}, [](const S& s) -> Cell { return StateName{SlotState(s.slot)}; }},
      {{"trial", Align::kRight}, [](const S& s) { return IdCell(s.slot.trial()); }},
      {{"allocation", Align::kRight}, [](const S& s) { return IdCell(s.slot.allocation()); }},
  };
  return MakeTable("agent", *columns, slots);
}

Table PlannedTable(const api::PreviewSearchResponse& preview) {
  using P = api::PlannedTrials;
  static const auto* const columns = new std::vector<ColumnOf<P>>{
      {{"bracket", Align::kRight}, [](const P& p) -> Cell { return int64_t{p.bracket()}; }},
      {{"trials", Align::kRight}, [](const P& p) -> Cell { return int64_t{p.trials()}; }},
      // 0 is a length too: the trial's own end.
      {{"units", Align::kRight}, [](const P& p) { return IdCell(p.units()); }},
      {{"time_metric"}, [](const P& p) { return TextCell(p.time_metric()); }},
  };
  return MakeTable("bracket", *columns, preview.planned());
}

std::string SamplesText(const api::PreviewSearchResponse& preview) {
  std::string text;
  for (const std::string& sample : preview.samples_json()) {
    StrAppend(text, CompactHparams(sample), "\n");
  }
  return text;
}

}  // namespace

Report ClusterReport(const api::GetClusterResponse& c, const std::string& address) {
  Report report;
  report.document.Add("master", address);
  const Document cluster = ToDocument(c);
  for (const auto& [key, value] : cluster.map()) report.document.Add(key, value);
  report.table = {.columns = {{"master"},
                              {"cluster_id"},
                              {"version"},
                              {"started"},
                              {"agents", Align::kRight},
                              {"slots", Align::kRight},
                              {"slots_free", Align::kRight},
                              {"experiments_live", Align::kRight},
                              {"user"}},
                  .rows = {{address,
                            c.cluster_id(),
                            c.version(),
                            TimeCell(c.started_unix_nanos()),
                            int64_t{c.agents()},
                            int64_t{c.slots()},
                            int64_t{c.slots_free()},
                            int64_t{c.experiments_live()},
                            TextCell(c.user())}},
                  .key = "cluster_id"};
  report.sections.push_back({"",
                             Fields{{"master", address},
                                    {"version", TextCell(c.version())},
                                    {"cluster", TextCell(c.cluster_id())},
                                    {"started", TimeCell(c.started_unix_nanos())},
                                    {"agents", StrCat(c.agents(), " connected")},
                                    {"slots", StrCat(c.slots(), ", ", c.slots_free(), " free")},
                                    {"experiments", StrCat(c.experiments_live(), " live")},
                                    {"user", TextCell(c.user())}}});
  return report;
}

Table AgentTable(const std::vector<api::Agent>& agents) {
  using A = api::Agent;
  static const auto* const columns = new std::vector<ColumnOf<A>>{
      {{.name = "id", .shrinks = true}, [](const A& a) -> Cell { return a.id(); }},
      {{"state"}, [](const A& a) -> Cell { return StateName{a.state()}; }},
      {{"since"}, [](const A& a) { return TimeCell(a.since_unix_nanos()); }},
      {{"pool"}, [](const A& a) { return TextCell(a.pool()); }},
      {{"slots", Align::kRight}, [](const A& a) -> Cell { return int64_t{a.slots_size()}; }},
      {{"slots_free", Align::kRight}, [](const A& a) -> Cell { return FreeSlots(a); }},
      {{.name = "why", .shrinks = true, .rank = 3},
       [](const A& a) { return TextCell(a.disabled().reason().text()); }},
      {{.name = "address", .rank = 1}, [](const A& a) { return TextCell(a.address()); }},
      {{.name = "version", .rank = 2}, [](const A& a) { return TextCell(a.version()); }},
  };
  return MakeTable("id", *columns, agents);
}

Report SlotReport(const std::vector<api::Agent>& agents) {
  std::vector<AgentSlot> slots;
  Document::List list;
  for (const api::Agent& agent : agents) {
    for (const api::Slot& slot : agent.slots()) slots.push_back({agent.id(), slot});
  }
  for (const AgentSlot& slot : slots) list.push_back(SlotDocument(slot));
  return {std::move(list), SlotTable(slots), {}};
}

Table JobTable(const std::vector<api::Job>& jobs) {
  using J = api::Job;
  static const auto* const columns = new std::vector<ColumnOf<J>>{
      {{"experiment", Align::kRight}, [](const J& j) -> Cell { return int64_t{j.experiment()}; }},
      {{.name = "name", .shrinks = true}, [](const J& j) { return TextCell(j.name()); }},
      {{.name = "owner", .rank = 2}, [](const J& j) { return TextCell(j.owner()); }},
      {{.name = "pool", .rank = 3}, [](const J& j) { return TextCell(j.pool()); }},
      {{.name = "priority", .align = Align::kRight, .rank = 1},
       [](const J& j) -> Cell { return int64_t{j.priority()}; }},
      {{"state"}, [](const J& j) -> Cell { return StateName{j.state()}; }},
      {{"slots_held", Align::kRight}, [](const J& j) -> Cell { return int64_t{j.slots_held()}; }},
      {{"slots_waiting", Align::kRight},
       [](const J& j) -> Cell { return int64_t{j.slots_waiting()}; }},
      {{.name = "submitted", .rank = 4},
       [](const J& j) { return TimeCell(j.submitted_unix_nanos()); }},
  };
  return MakeTable("experiment", *columns, jobs);
}

Report ExplainReport(const api::ExplainResponse& explained) {
  Report report;
  report.document = ToDocument(explained);
  const api::Reason& reason = explained.reason();
  report.table = {.columns = {{"subject"}, {"state"}, {"code"}, {"text"}, {"actor"}, {"since"}},
                  .rows = {{explained.subject(),
                            StateName{explained.state()},
                            TextCell(reason.code()),
                            TextCell(reason.text()),
                            TextCell(reason.actor()),
                            TimeCell(reason.since_unix_nanos())}},
                  .key = "subject"};
  report.sections.push_back({"",
                             Fields{{"what", TextCell(explained.subject())},
                                    {"state", StateName{explained.state()}},
                                    {"why", TextCell(ReasonText(reason))},
                                    {"since", TimeCell(reason.since_unix_nanos())}}});
  if (explained.details_size() > 0) {
    const auto line = [](const std::string& detail) { return StrCat("- ", detail, "\n"); };
    report.sections.push_back({"Details", StrJoin(explained.details(), "", line)});
  }
  for (Section& section :
       HistorySections({explained.history().begin(), explained.history().end()})) {
    report.sections.push_back(std::move(section));
  }
  return report;
}

Report PlanReport(const api::PlanExperimentResponse& plan) {
  using S = api::PlannedStart;
  static const auto* const columns = new std::vector<ColumnOf<S>>{
      {{"agent"}, [](const S& s) { return TextCell(s.agent()); }},
      {{"trials", Align::kRight}, [](const S& s) -> Cell { return int64_t{s.trials()}; }},
      {{"slots", Align::kRight}, [](const S& s) -> Cell { return int64_t{s.slots()}; }},
  };
  Report report;
  report.document = ToDocument(plan);
  report.table = MakeTable("agent", *columns, plan.starts());
  Fields fields{{"searcher", TextCell(plan.searcher())},
                {"trials", int64_t{plan.trials()}},
                {"at_once", int64_t{plan.trials_at_once()}},
                {"slots_per_trial", int64_t{plan.slots_per_trial()}},
                {"pool", TextCell(plan.pool())}};
  if (plan.units() > 0) {
    fields.emplace_back("length",
                        TextCell(StrCat(plan.units(), " ", plan.time_metric(), " of all trials")));
  }
  if (plan.has_slot_hours()) {
    fields.emplace_back("slot_hours", TextCell(FormatDouble(plan.slot_hours())));
  }
  if (plan.preempts() > 0) fields.emplace_back("preempts", int64_t{plan.preempts()});
  if (plan.impossible()) fields.emplace_back("never", TextCell(plan.waits()));
  if (!plan.impossible() && !plan.waits().empty()) {
    fields.emplace_back("waits", TextCell(plan.waits()));
  }
  if (plan.has_starts_in_seconds()) {
    fields.emplace_back("starts_in", TextCell(StrCat("about ", plan.starts_in_seconds(), " s")));
  }
  report.sections.push_back({"", std::move(fields)});
  if (plan.starts_size() > 0) report.sections.push_back({"Starts now", report.table});
  return report;
}

Report PreviewReport(const api::PreviewSearchResponse& preview) {
  int64_t trials = 0;
  for (const api::PlannedTrials& planned : preview.planned()) trials += planned.trials();
  Report report;
  report.document = ToDocument(preview);
  report.table = PlannedTable(preview);
  report.sections.push_back(
      {"", Fields{{"searcher", TextCell(preview.searcher())}, {"trials", trials}}});
  report.sections.push_back({"Plan", report.table});
  if (preview.samples_json_size() > 0) {
    report.sections.push_back({"First hyperparameters", SamplesText(preview)});
  }
  return report;
}

}  // namespace det::cli
