#include <set>

#include "common/base/strings.h"
#include "common/base/value.h"
#include "master/scheduler/scheduler.h"

namespace det::scheduler {
namespace {

std::string Slots(int64_t slots) {
  return StrCat(slots, slots == 1 ? " slot" : " slots");
}

class Explainer {
 public:
  Explainer(const View& view, const Waiting& waiting)
      : view_(view),
        waiting_(waiting),
        request_(waiting.request),
        job_(*waiting.job),
        pool_(*view.FindPool(waiting.request.pool)) {}

  Explanation Run() {
    CountAhead();
    if (pool_.agent_count == 0) {
      Say("NO_AGENTS", StrCat(Needs(), "; the pool has no connected agent"), true);
    } else if (request_.slots == 0) {
      Say("WAITING_FOR_SLOTS",
          StrCat("needs a place on an agent of pool ",
                 QuoteJson(request_.pool),
                 "; each takes at most ",
                 pool_.rules.aux_per_agent_max,
                 " tasks without slots"));
    } else if (!waiting_.possible) {
      SayImpossible();
    } else if (!waiting_.ready) {
      SayLimit();
    } else {
      SaySlots();
    }
    return std::move(why_);
  }

 private:
  void Say(std::string_view code, std::string text, bool impossible = false) {
    why_.code = code;
    why_.text = std::move(text);
    why_.impossible = impossible;
  }

  std::string Needs() const {
    return StrCat("needs ",
                  Slots(request_.slots),
                  request_.spans ? " of pool " : " on one agent of pool ",
                  QuoteJson(request_.pool));
  }

  // Requests without slots wait for nobody.
  void CountAhead() {
    if (request_.slots == 0) return;
    std::set<ExperimentId> jobs;
    int64_t counted = 0;
    for (const auto& [size, rows] : pool_.ready) {
      for (ReadyCursor at(rows); at.Get() != nullptr && at.Get()->key < waiting_.key; at.Next()) {
        if (++counted > kAheadMax) break;
        if (at.Get()->job != &job_) jobs.insert(at.Get()->key.job);
        why_.slots_ahead += at.Get()->request.slots;
      }
    }
    why_.ahead = static_cast<int64_t>(jobs.size());
    ahead_or_more_ = counted > kAheadMax;
  }

  std::string Ahead() const {
    if (pool_.rules.policy == Policy::kFairShare) {
      return StrCat("the pool shares fairly, and its experiment holds ", Slots(job_.held));
    }
    return StrCat(ahead_or_more_ ? "at least " : "",
                  why_.ahead,
                  why_.ahead == 1 ? " experiment is" : " experiments are",
                  " ahead of it");
  }

  void SayImpossible() {
    const std::optional<int64_t>& max_slots = job_.job.max_slots;
    const auto quota = [](const auto& quotas, const std::string& name) {
      const auto it = quotas.find(name);
      return it == quotas.end() ? INT64_MAX : it->second;
    };
    const Rules& rules = view_.rules();
    if (max_slots.has_value() && request_.slots > *max_slots) {
      return Say("MAX_SLOTS",
                 StrCat("needs ", Slots(request_.slots), "; resources.max_slots is ", *max_slots),
                 true);
    }
    if (const int64_t most = quota(rules.user_slots, job_.job.owner); request_.slots > most) {
      return Say("USER_QUOTA",
                 StrCat("needs ",
                        Slots(request_.slots),
                        "; the quota of user ",
                        job_.job.owner,
                        " is ",
                        most),
                 true);
    }
    if (const int64_t most = quota(rules.workspace_slots, job_.job.workspace);
        request_.slots > most) {
      return Say("WORKSPACE_QUOTA",
                 StrCat("needs ",
                        Slots(request_.slots),
                        "; the quota of workspace ",
                        QuoteJson(job_.job.workspace),
                        " is ",
                        most),
                 true);
    }
    const std::string has = request_.spans
                                ? StrCat("; all its agents together have ", pool_.slots_total)
                                : StrCat("; its largest agent has ", pool_.largest());
    Say("TOO_LARGE", StrCat(Needs(), has), true);
  }

  // The first limit that keeps it back.
  void SayLimit() {
    const std::string needs = StrCat("needs ", Slots(request_.slots), "; ");
    if (waiting_.stage == kJobStage) {
      return Say("MAX_SLOTS",
                 StrCat(needs,
                        "its experiment holds ",
                        job_.held,
                        " of the ",
                        job_.gate->limit,
                        " that resources.max_slots allows"));
    }
    if (waiting_.stage == kUserStage) {
      return Say("USER_QUOTA", needs + OfQuota("user " + job_.job.owner, *job_.user));
    }
    Say("WORKSPACE_QUOTA",
        needs + OfQuota("workspace " + QuoteJson(job_.job.workspace), *job_.workspace));
  }

  std::string OfQuota(const std::string& whose, const Gate& gate) const {
    const bool promised = gate.left() >= request_.slots;
    return StrCat(whose,
                  " holds ",
                  gate.used,
                  " of its quota of ",
                  Slots(gate.limit),
                  promised ? ", and what is left of it is for those ahead that wait as well" : "");
  }

  void SaySlots() {
    const int64_t most_free = request_.spans ? pool_.slots_free : pool_.most_free();
    const Plan plan = Schedule(view_, request_.pool);
    const bool fits = most_free >= request_.slots;
    std::string_view code = why_.ahead > 0 ? "WAITING_FOR_TURN" : "WAITING_FOR_SLOTS";
    if (fits && why_.ahead == 0) code = "SCHEDULABLE";
    std::string text = StrCat(Needs(),
                              request_.spans ? "; free are " : "; the most free on one agent is ",
                              most_free,
                              "; ",
                              Ahead());
    if (plan.reserved == request_.task) {
      code = "RESERVED";
      StrAppend(text,
                "; ",
                plan.reserved_agent.empty() ? "what becomes free in the pool is kept for it"
                                            : StrCat("what becomes free on agent ",
                                                     plan.reserved_agent.value(),
                                                     " is kept for it"));
    } else if (plan.reserved.has_value() && fits) {
      StrAppend(text, "; what is free is kept for task ", plan.reserved->value());
      if (const Waiting* first = view_.FindWaiting(*plan.reserved)) {
        StrAppend(text, " of experiment ", first->key.job.value(), ", which is before it");
      }
    }
    if (pool_.slots_leaving > 0) {
      StrAppend(text, "; ", Slots(pool_.slots_leaving), " of the pool are about to become free");
    }
    if (!request_.excluded.empty()) {
      StrAppend(text,
                "; its log excludes agents ",
                StrJoin(request_.excluded, ", ", [](const AgentId& id) { return id.value(); }));
    }
    if (!request_.avoid.empty()) {
      StrAppend(text,
                "; it keeps off agent ",
                request_.avoid.value(),
                ", which failed to prepare it, where another could take it");
    }
    Say(code, std::move(text));
  }

  const View& view_;
  const Waiting& waiting_;
  const Request& request_;
  const JobState& job_;
  const PoolView& pool_;
  bool ahead_or_more_ = false;
  Explanation why_;
};

}  // namespace

Explanation Explain(const View& view, TaskId task) {
  const Waiting* waiting = view.FindWaiting(task);
  if (waiting == nullptr) return {.code = "NOT_WAITING", .text = "does not wait for slots"};
  return Explainer(view, *waiting).Run();
}

}  // namespace det::scheduler
