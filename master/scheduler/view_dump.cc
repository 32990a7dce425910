#include "common/base/strings.h"
#include "common/base/value.h"
#include "master/scheduler/view.h"

namespace det::scheduler {
namespace {

template <class Set>
void PutTasks(std::string* out, std::string_view name, const Set& set) {
  if (set.empty()) return;
  StrAppend(*out, "  ", name, ":");
  for (const auto& item : set) {
    if constexpr (requires { item->request; }) {
      StrAppend(*out, " ", item->request.task.value(), "@", item->key.level);
    } else if constexpr (requires { item->running; }) {
      StrAppend(*out, " ", item->running.task.value());
    } else {
      StrAppend(*out, " ", item->agent.value());
    }
  }
  *out += "\n";
}

void PutUsage(std::string* out, std::string_view name, const UsageSet& entries) {
  for (const auto& [key, place] : entries)
    StrAppend(*out, "  ", name, " ", key.job.value(), " ", FormatDouble(key.usage), "\n");
}

std::string PoolText(const PoolView& pool) {
  std::string out;
  const auto size = [](const SizeClass& s) { return StrCat(s.slots, s.spans ? "*" : ""); };
  for (const auto& [s, rows] : pool.all) {
    WaitingSet all;
    for (const auto& [job, row] : rows) {
      for (const auto& [task, waiting] : row->tasks) all.insert(waiting);
    }
    PutTasks(&out, "all " + size(s), all);
  }
  for (const auto& [s, rows] : pool.ready) {
    std::vector<const Waiting*> ready;
    for (ReadyCursor at(rows); at.Get() != nullptr; at.Next()) ready.push_back(at.Get());
    PutTasks(&out, "ready " + size(s), ready);
  }
  PutTasks(&out, "aux", pool.aux);
  for (const auto& [key, place] : pool.holding) {
    PutTasks(&out, "victims of " + key.job.ToString(), place->victims);
  }
  PutUsage(&out, "starving", pool.starving);
  PutUsage(&out, "holding", pool.holding);
  for (const auto& [capacity, by_free] : pool.agents) {
    for (const auto& [free, agents] : by_free) {
      PutTasks(&out, StrCat("agents ", free, "/", capacity), agents);
    }
  }
  for (const auto& [priority, by_slots] : pool.freeable) {
    for (const auto& [slots, agents] : by_slots) {
      PutTasks(&out, StrCat("freeable ", priority, " ", slots), agents);
    }
  }
  for (const auto& [slots, agents] : pool.soon) PutTasks(&out, StrCat("soon ", slots), agents);
  for (const AuxLoad& load : pool.by_aux)
    StrAppend(out, "  aux ", load.tasks, " ", load.agent.value(), "\n");
  PutTasks(&out, "victims", pool.victims);
  for (const RunningTask* task : pool.ends) {
    StrAppend(out, "  end ", EndKey::Of(*task).at, " ", task->slots, "\n");
  }
  if (pool.agent_count == 0 && out.empty()) return "";
  StrAppend(out,
            "  agents ",
            pool.agent_count,
            " slots ",
            pool.slots_free,
            "+",
            pool.slots_leaving,
            "/",
            pool.slots_total,
            "\n");
  return out;
}

}  // namespace

std::string View::Dump() const {
  std::string out;
  for (const auto& [name, pool] : pools_) {
    const std::string text = PoolText(pool);
    if (!text.empty()) StrAppend(out, "pool ", name, "\n", text);
  }
  for (const auto& [id, entry] : agents_) {
    const AgentSlots& agent = *entry;
    StrAppend(out,
              "agent ",
              id.value(),
              agent.known ? StrCat(" ", agent.pool, agent.schedulable ? "" : " away") : " ?",
              " free ",
              StrJoin(agent.known ? agent.free : std::vector<int>(), ","),
              " taken ",
              StrJoin(agent.taken, ","),
              " aux ",
              agent.aux_tasks,
              "\n");
    PutTasks(&out, "tasks", agent.tasks);
  }
  for (const auto& [id, job] : jobs_) {
    StrAppend(out,
              "job ",
              id.value(),
              " age ",
              job.age,
              " held ",
              job.held,
              " leaving ",
              job.leaving,
              " waiting ",
              job.waiting,
              "\n");
    int stage = kNoStage;
    for (const Gate* gate : {job.gate.get(), job.user, job.workspace}) {
      ++stage;
      if (gate == nullptr) continue;
      StrAppend(out, "  gate ", gate->used, "/", gate->limit, "\n");
      PutTasks(&out, "passed", gate->Passed(stage));
      PutTasks(&out, "held back", gate->HeldBack());
    }
  }
  return out;
}

}  // namespace det::scheduler
