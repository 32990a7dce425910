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

void PutUsage(std::string* out, std::string_view name, const absl::btree_set<UsageKey>& keys) {
  for (const UsageKey& key : keys)
    StrAppend(*out, "  ", name, " ", key.job.value(), " ", FormatDouble(key.usage), "\n");
}

std::string PoolText(const PoolView& pool) {
  std::string out;
  const auto size = [](const SizeClass& s) { return StrCat(s.slots, s.spans ? "*" : ""); };
  for (const auto& [s, set] : pool.all) PutTasks(&out, "all " + size(s), set);
  for (const auto& [s, set] : pool.ready) PutTasks(&out, "ready " + size(s), set);
  PutTasks(&out, "aux", pool.aux);
  for (const auto& [job, set] : pool.ready_of_job) PutTasks(&out, "job " + job.ToString(), set);
  for (const auto& [job, set] : pool.victims_of_job) {
    PutTasks(&out, "victims of " + job.ToString(), set);
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
  for (const auto& [at, task] : pool.ends) StrAppend(out, "  end ", at, " ", task->slots, "\n");
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
  for (const auto& [id, agent] : agents_) {
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
    for (const Gate* gate : {job.gate.get(), job.user, job.workspace}) {
      if (gate == nullptr) continue;
      StrAppend(out, "  gate ", gate->used, "/", gate->limit, "\n");
      PutTasks(&out, "passed", gate->passed());
      PutTasks(&out, "held back", gate->held_back());
    }
  }
  return out;
}

}  // namespace det::scheduler
