#include "master/scheduler/view.h"

#include <algorithm>

#include "common/base/check.h"

namespace det::scheduler {
namespace {

// The stages that a request goes through before it is ready.
constexpr int kJobStage = 0;
constexpr int kUserStage = 1;
constexpr int kWorkspaceStage = 2;
constexpr int kReadyStage = 3;

template <class Map, class Key>
auto* FindIn(const Map& map, const Key& key) {
  const auto it = map.find(key);
  return it == map.end() ? nullptr : &it->second;
}

UsageKey UsageOf(const JobState& job, int64_t next) {
  return {.youth = next == 0 ? 0 : -job.age,
          .usage = job.usage(static_cast<double>(next) / 2),
          .position = job.job.position,
          .job = job.job.id};
}

SizeClass SizeOf(const Request& request) {
  return {.spans = request.spans, .slots = request.slots};
}

bool FitsInto(const PoolView& pool, const SizeClass& size) {
  return size.slots <= (size.spans ? pool.slots_total : pool.largest());
}

template <class Map, class Value>
void EraseFrom(Map& map, const typename Map::key_type& key, const Value& value) {
  const auto it = map.find(key);
  it->second.erase(value);
  if (it->second.empty()) map.erase(it);
}

}  // namespace

const PoolRules& Rules::ForPool(const std::string& pool) const {
  const PoolRules* own = FindIn(pools, pool);
  return own == nullptr ? defaults : *own;
}

PoolView& View::Pool(const std::string& name) {
  const auto [it, added] = pools_.try_emplace(name);
  if (added) {
    it->second.rules = rules_.ForPool(name);
    if (it->second.rules.policy == Policy::kFifo) it->second.rules.preemption = false;
  }
  return it->second;
}

// ---- Jobs

void View::SetJob(const Job& job) {
  JobState& state = jobs_.try_emplace(job.id).first->second;
  if (state.job == job) return;
  for (const TaskId task : state.tasks_waiting) Leave(*waiting_.at(task));
  IndexUsage(state, false);
  for (Gate* gate : {state.user, state.workspace}) {
    if (gate != nullptr) gate->used -= state.held;
  }
  state.job = job;
  const auto gate_of = [](const auto& limits, auto& gates, const std::string& name) -> Gate* {
    const int64_t* limit = FindIn(limits, name);
    if (limit == nullptr) return nullptr;
    Gate& gate = gates[name];
    gate.limit = *limit;
    return &gate;
  };
  state.user = gate_of(rules_.user_slots, users_, job.owner);
  state.workspace = gate_of(rules_.workspace_slots, workspaces_, job.workspace);
  state.gate.reset();
  if (job.max_slots.has_value()) {
    state.gate = std::make_unique<Gate>();
    state.gate->limit = *job.max_slots;
    state.gate->used = state.held;
  }
  for (Gate* gate : {state.user, state.workspace}) {
    if (gate != nullptr) gate->used += state.held;
  }
  IndexUsage(state, true);
  for (const TaskId task : state.tasks_waiting) Enter(*waiting_.at(task));
  UpdateAge(state);
  for (const auto& [pool, tasks] : state.pools) dirty_.insert(pool);
}

void View::RemoveJob(ExperimentId job) {
  const auto it = jobs_.find(job);
  DET_CHECK(it != jobs_.end() && it->second.pools.empty(), "the job has tasks");
  if (it->second.looked_at != 0) ageing_.erase({it->second.looked_at, job});
  jobs_.erase(it);
}

void View::CountIn(JobState& job, const std::string& pool, int64_t sign) {
  const auto it = job.pools.try_emplace(pool).first;
  it->second += sign;
  if (it->second == 0) job.pools.erase(it);
}

// In fair pools a job stands where its usage puts it: taken out before a change, put in after it.
void View::IndexUsage(const JobState& job, bool in) {
  for (const auto& [name, tasks] : job.pools) {
    PoolView& pool = Pool(name);
    if (pool.rules.policy != Policy::kFairShare) continue;
    const auto set = [&](auto& keys, int64_t next) {
      if (in) {
        keys.insert(UsageOf(job, next));
      } else {
        keys.erase(UsageOf(job, next));
      }
    };
    if (const WaitingSet* ready = FindIn(pool.ready_of_job, job.job.id)) {
      set(pool.starving, (*ready->begin())->request.slots);
    }
    if (pool.victims_of_job.contains(job.job.id)) set(pool.holding, 0);
  }
}

// A job that waits without getting anything goes up by one from time to time. What it asked for
// last says since when: a job that gets something asks for more as its tasks end or come back.
void View::UpdateAge(JobState& job) {
  const int64_t every = absl::ToInt64Nanoseconds(rules_.age_every);
  if (every == 0) return;
  int64_t age = 0;
  int64_t due = 0;
  if (!job.since.empty()) {
    int64_t from = *job.since.rbegin();
    if (!job.placed.empty()) from = std::max(from, *job.placed.rbegin());
    age = std::max<int64_t>(0, (absl::ToUnixNanos(now_) - from) / every);
    due = from + (age + 1) * every;
  }
  // An entry that is too early only costs a look: it need not move each time the job gets
  // something.
  if (due != 0 && (job.looked_at == 0 || due < job.looked_at)) {
    if (job.looked_at != 0) ageing_.erase({job.looked_at, job.job.id});
    ageing_.emplace(due, job.job.id);
    job.looked_at = due;
  }
  if (age == job.age) return;
  for (const TaskId task : job.tasks_waiting) Leave(*waiting_.at(task));
  job.age = age;
  for (const TaskId task : job.tasks_waiting) Enter(*waiting_.at(task));
}

void View::SetNow(absl::Time now) {
  if (now <= now_) return;
  now_ = now;
  const int64_t nanos = absl::ToUnixNanos(now_);
  while (!ageing_.empty() && ageing_.begin()->first <= nanos) {
    JobState& job = jobs_.at(ageing_.begin()->second);
    ageing_.erase(ageing_.begin());
    job.looked_at = 0;
    UpdateAge(job);
  }
}

// ---- Requests

QueueKey View::KeyOf(const Waiting& waiting) const {
  const JobState& job = *waiting.job;
  const bool ranked = rules_.ForPool(waiting.request.pool).policy == Policy::kPriority;
  return {.level = ranked ? job.level() : 0,
          .position = job.job.position,
          .job = job.job.id,
          .task = waiting.request.task};
}

void View::AddRequest(const Request& request) {
  const auto job = jobs_.find(request.job);
  DET_CHECK(job != jobs_.end(), "a request of a job that is not known");
  std::unique_ptr<Waiting>& waiting = waiting_[request.task];
  DET_CHECK(waiting == nullptr, "already waits");
  waiting = std::make_unique<Waiting>(Waiting{.request = request, .job = &job->second});
  CountIn(job->second, request.pool, 1);
  job->second.tasks_waiting.insert(request.task);
  job->second.waiting += request.slots;
  Enter(*waiting);
  if (request.slots == 0) return;
  job->second.since.insert(absl::ToUnixNanos(request.since));
  UpdateAge(job->second);
}

void View::RemoveRequest(TaskId task) {
  const auto it = waiting_.find(task);
  DET_CHECK(it != waiting_.end(), "does not wait");
  const std::unique_ptr<Waiting> waiting = std::move(it->second);
  waiting_.erase(it);
  JobState& job = *waiting->job;
  Leave(*waiting);
  job.tasks_waiting.erase(task);
  job.waiting -= waiting->request.slots;
  CountIn(job, waiting->request.pool, -1);
  if (waiting->request.slots == 0) return;
  job.since.erase(job.since.find(absl::ToUnixNanos(waiting->request.since)));
  UpdateAge(job);
}

bool View::IsPossible(const Waiting& waiting) const {
  const int64_t slots = waiting.request.slots;
  const JobState& job = *waiting.job;
  for (const Gate* gate : {job.gate.get(), job.user, job.workspace}) {
    if (gate != nullptr && slots > gate->limit) return false;
  }
  return FitsInto(pools_.at(waiting.request.pool), SizeOf(waiting.request));
}

void View::Enter(Waiting& waiting) {
  PoolView& pool = Pool(waiting.request.pool);
  waiting.key = KeyOf(waiting);
  dirty_.insert(waiting.request.pool);
  if (waiting.request.slots == 0) {
    pool.aux.insert(&waiting);
    return;
  }
  pool.all[SizeOf(waiting.request)].insert(&waiting);
  waiting.possible = IsPossible(waiting);
  if (waiting.possible) Offer(kJobStage, waiting);
}

void View::Leave(Waiting& waiting) {
  PoolView& pool = Pool(waiting.request.pool);
  dirty_.insert(waiting.request.pool);
  if (waiting.request.slots == 0) {
    pool.aux.erase(&waiting);
    return;
  }
  if (waiting.possible) Withdraw(kJobStage, waiting);
  waiting.possible = false;
  EraseFrom(pool.all, SizeOf(waiting.request), &waiting);
}

Gate* View::GateOf(int stage, const Waiting& waiting) {
  if (stage == kJobStage) return waiting.job->gate.get();
  return stage == kUserStage ? waiting.job->user : waiting.job->workspace;
}

void View::Offer(int stage, Waiting& waiting) {
  while (stage < kReadyStage && GateOf(stage, waiting) == nullptr) ++stage;
  if (stage == kReadyStage) return SetReady(waiting, true);
  Gate& gate = *GateOf(stage, waiting);
  if (gate.Add(&waiting)) Offer(stage + 1, waiting);
  Rebalance(stage, gate);
}

void View::Withdraw(int stage, Waiting& waiting) {
  while (stage < kReadyStage && GateOf(stage, waiting) == nullptr) ++stage;
  if (stage == kReadyStage) return SetReady(waiting, false);
  Gate& gate = *GateOf(stage, waiting);
  if (gate.Remove(&waiting)) Withdraw(stage + 1, waiting);
  Rebalance(stage, gate);
}

void View::Rebalance(int stage, Gate& gate) {
  while (Waiting* waiting = gate.Shrink()) Withdraw(stage + 1, *waiting);
  while (Waiting* waiting = gate.Grow()) Offer(stage + 1, *waiting);
}

void View::SetReady(Waiting& waiting, bool ready) {
  PoolView& pool = Pool(waiting.request.pool);
  const ExperimentId job = waiting.job->job.id;
  dirty_.insert(waiting.request.pool);
  waiting.ready = ready;
  if (ready) {
    pool.ready[SizeOf(waiting.request)].insert(&waiting);
  } else {
    EraseFrom(pool.ready, SizeOf(waiting.request), &waiting);
  }
  if (pool.rules.policy != Policy::kFairShare) return;
  if (const WaitingSet* before = FindIn(pool.ready_of_job, job)) {
    pool.starving.erase(UsageOf(*waiting.job, (*before->begin())->request.slots));
  }
  if (ready) {
    pool.ready_of_job[job].insert(&waiting);
  } else {
    EraseFrom(pool.ready_of_job, job, &waiting);
  }
  if (const WaitingSet* after = FindIn(pool.ready_of_job, job)) {
    pool.starving.insert(UsageOf(*waiting.job, (*after->begin())->request.slots));
  }
}

// Requests that fit into the pool since it grew, or don't any more.
void View::ChangeSize(const std::string& name, int64_t largest_before, int64_t total_before) {
  PoolView& pool = Pool(name);
  if (pool.largest() == largest_before && pool.slots_total == total_before) return;
  const auto change = [&](bool spans, int64_t before, int64_t after) {
    auto it = pool.all.upper_bound({spans, std::min(before, after)});
    for (; it != pool.all.end() && it->first <= SizeClass{spans, std::max(before, after)}; ++it) {
      for (Waiting* waiting : it->second) {
        const bool possible = IsPossible(*waiting);
        if (possible == waiting->possible) continue;
        waiting->possible = possible;
        possible ? Offer(kJobStage, *waiting) : Withdraw(kJobStage, *waiting);
      }
    }
  };
  change(false, largest_before, pool.largest());
  change(true, total_before, pool.slots_total);
}

// ---- Finding

const PoolView* View::FindPool(const std::string& pool) const {
  return FindIn(pools_, pool);
}
const AgentSlots* View::FindAgent(const AgentId& agent) const {
  const AgentSlots* found = FindIn(agents_, agent);
  return found == nullptr || !found->known ? nullptr : found;
}
const Waiting* View::FindWaiting(TaskId task) const {
  const auto* found = FindIn(waiting_, task);
  return found == nullptr ? nullptr : found->get();
}
const RunningTask* View::FindRunning(TaskId task) const {
  const auto* found = FindIn(running_, task);
  return found == nullptr ? nullptr : found->get();
}
const JobState* View::FindJob(ExperimentId job) const {
  return FindIn(jobs_, job);
}
std::optional<int64_t> View::UserQuotaLeft(const std::string& user) const {
  const int64_t* limit = FindIn(rules_.user_slots, user);
  if (limit == nullptr) return std::nullopt;
  const Gate* gate = FindIn(users_, user);
  return *limit - (gate == nullptr ? 0 : gate->used);
}
std::optional<int64_t> View::WorkspaceQuotaLeft(const std::string& workspace) const {
  const int64_t* limit = FindIn(rules_.workspace_slots, workspace);
  if (limit == nullptr) return std::nullopt;
  const Gate* gate = FindIn(workspaces_, workspace);
  return *limit - (gate == nullptr ? 0 : gate->used);
}

}  // namespace det::scheduler
