#include "master/scheduler/view.h"

#include <algorithm>

#include "common/base/check.h"

namespace det::scheduler {
namespace {

template <class Map, class Key>
auto* FindIn(const Map& map, const Key& key) {
  const auto it = map.find(key);
  return it == map.end() ? nullptr : &it->second;
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

// All of its requests that wait.
std::vector<Waiting*> WaitingOf(const JobState& job) {
  std::vector<Waiting*> waiting;
  for (const auto& [name, place] : job.pools) {
    for (const auto& [size, row] : place.rows) {
      for (const auto& [task, one] : row->tasks) waiting.push_back(one);
    }
  }
  return waiting;
}

// Puts what stands at `at` where it belongs now; nothing is nowhere.
void Move(UsageSet& set,
          const std::optional<UsageKey>& to,
          JobInPool& place,
          std::optional<UsageKey>& at) {
  if (at == to) return;
  if (at.has_value()) set.erase({*at, &place});
  if (to.has_value()) set.insert({*to, &place});
  at = to;
}

}  // namespace

const PoolRules& Rules::ForPool(const std::string& pool) const {
  const PoolRules* own = FindIn(pools, pool);
  return own == nullptr ? defaults : *own;
}

PoolView& View::Pool(const std::string& name) {
  const auto [it, added] = pools_.try_emplace(name);
  if (added) {
    it->second.name = name;
    it->second.rules = rules_.ForPool(name);
    if (it->second.rules.policy == Policy::kFifo) it->second.rules.preemption = false;
  }
  return it->second;
}

void View::MarkDirty(PoolView& pool) {
  if (pool.dirty) return;
  pool.dirty = true;
  dirty_.insert(pool.name);
}

void View::ClearDirty(const std::string& pool) {
  if (dirty_.erase(pool) > 0) Pool(pool).dirty = false;
}

// ---- Jobs

UsageKey UsageKey::Of(const JobState& job, int64_t next) {
  return {.youth = next == 0 ? 0 : -job.age,
          .usage = job.usage(static_cast<double>(next) / 2),
          .position = job.job.position,
          .job = job.job.id};
}

ReadyTask JobInPool::FirstReady(TaskId after) const {
  ReadyTask found;
  for (const auto& [size, row] : rows) {
    if (row->ready == 0) continue;
    std::pair<TaskId, Waiting*> first{row->first, row->first_waiting};
    if (first.first <= after) {
      const auto it = row->tasks.upper_bound(after);
      if (it == row->tasks.end()) continue;
      const bool all = row->ready == static_cast<int64_t>(row->tasks.size());
      if (!all && !it->second->ready) continue;
      first = *it;
    }
    if (found.waiting != nullptr && found.task < first.first) continue;
    found = {.task = first.first, .waiting = first.second, .slots = size.slots};
  }
  return found;
}

void Row::Insert(TaskId task, Waiting* waiting) {
  tasks.emplace(task, waiting);
  if (first_waiting != nullptr && first < task) return;
  first = task;
  first_waiting = waiting;
}

void Row::Erase(TaskId task) {
  const auto next = tasks.erase(tasks.find(task));
  if (task != first) return;
  const bool any = next != tasks.end();
  first = any ? next->first : TaskId();
  first_waiting = any ? next->second : nullptr;
}

void View::SetJob(const Job& job) {
  JobState& state = jobs_.try_emplace(job.id).first->second;
  if (state.job == job) return;
  const std::vector<Waiting*> waiting = WaitingOf(state);
  for (Waiting* task : waiting) Leave(*task);
  for (Gate* gate : {state.user, state.workspace}) {
    if (gate == nullptr) continue;
    gate->used -= state.held;
    gate->jobs.erase(job.id);
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
  }
  for (Gate* gate : {state.gate.get(), state.user, state.workspace}) {
    if (gate == nullptr) continue;
    gate->used += state.held;
    gate->jobs.emplace(job.id, &state);
  }
  for (Waiting* task : waiting) Enter(*task);
  IndexUsage(state);
  UpdateAge(state);
  for (const auto& [pool, place] : state.pools) MarkDirty(*place.pool);
}

void View::RemoveJob(ExperimentId job) {
  const auto it = jobs_.find(job);
  DET_CHECK(it != jobs_.end() && it->second.pools.empty(), "the job has tasks");
  if (it->second.looked_at != 0) ageing_.erase({it->second.looked_at, job});
  for (Gate* gate : {it->second.user, it->second.workspace}) {
    if (gate != nullptr) gate->jobs.erase(job);
  }
  jobs_.erase(it);
}

// With one task more.
JobInPool& View::PlaceOf(JobState& job, const std::string& pool) {
  const auto [it, added] = job.pools.try_emplace(pool);
  JobInPool& place = it->second;
  if (added) {
    place.job = &job;
    place.pool = &Pool(pool);
  }
  ++place.tasks;
  return place;
}

void View::CountOut(JobInPool& place) {
  if (--place.tasks == 0) place.job->pools.erase(place.pool->name);
}

// In fair pools a job stands where its usage puts it.
void View::IndexUsage(JobInPool& place) {
  PoolView& pool = *place.pool;
  if (pool.rules.policy != Policy::kFairShare) return;
  std::optional<UsageKey> starving;
  std::optional<UsageKey> holding;
  const ReadyTask first = place.FirstReady();
  if (first.waiting != nullptr) starving = UsageKey::Of(*place.job, first.slots);
  if (!place.victims.empty()) holding = UsageKey::Of(*place.job, 0);
  Move(pool.starving, starving, place, place.starving);
  Move(pool.holding, holding, place, place.holding);
}

void View::IndexUsage(JobState& job) {
  for (auto& [name, place] : job.pools) IndexUsage(place);
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
  const std::vector<Waiting*> waiting = WaitingOf(job);
  for (Waiting* task : waiting) Leave(*task);
  job.age = age;
  for (Waiting* task : waiting) Enter(*task);
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
  const bool ranked = waiting.place->pool->rules.policy == Policy::kPriority;
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
  waiting->place = &PlaceOf(job->second, request.pool);
  job->second.waiting += request.slots;
  Enter(*waiting);
  if (request.slots == 0) return;
  job->second.since.insert(absl::ToUnixNanos(request.since));
  UpdateAge(job->second);
}

void View::RemoveRequest(TaskId task) {
  const std::unique_ptr<Waiting> waiting = waiting_.Take(task);
  DET_CHECK(waiting != nullptr, "does not wait");
  JobState& job = *waiting->job;
  Leave(*waiting);
  job.waiting -= waiting->request.slots;
  CountOut(*waiting->place);
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
  return FitsInto(*waiting.place->pool, waiting.row->size);
}

void View::Enter(Waiting& waiting) {
  JobInPool& place = *waiting.place;
  PoolView& pool = *place.pool;
  waiting.key = KeyOf(waiting);
  MarkDirty(pool);
  const SizeClass size = SizeClass::Of(waiting.request);
  std::unique_ptr<Row>& row = place.rows[size];
  if (row == nullptr) {
    const QueueKey& key = waiting.key;
    row = std::make_unique<Row>(
        Row{.key = {key.level, key.position, key.job}, .size = size, .place = &place});
    if (size.slots > 0) pool.all[size].emplace(key.job, row.get());
  }
  waiting.row = row.get();
  row->Insert(waiting.request.task, &waiting);
  if (size.slots == 0) {
    pool.aux.insert(&waiting);
    return;
  }
  waiting.possible = IsPossible(waiting);
  if (waiting.possible) Offer(kJobStage, waiting);
}

void View::Leave(Waiting& waiting) {
  JobInPool& place = *waiting.place;
  PoolView& pool = *place.pool;
  Row& row = *waiting.row;
  MarkDirty(pool);
  if (waiting.possible) Retract(waiting);
  waiting.possible = false;
  if (row.size.slots == 0) pool.aux.erase(&waiting);
  row.Erase(waiting.request.task);
  waiting.row = nullptr;
  if (row.tasks.empty()) {
    const SizeClass size = row.size;
    if (size.slots > 0) EraseFrom(pool.all, size, waiting.key.job);
    place.rows.erase(size);
  }
  IndexUsage(place);
}

Gate* View::GateOf(int stage, const Waiting& waiting) {
  if (stage == kJobStage) return waiting.job->gate.get();
  return stage == kUserStage ? waiting.job->user : waiting.job->workspace;
}

// It wants to pass from this stage on.
void View::Offer(int stage, Waiting& waiting) {
  while (stage < kReadyStage && GateOf(stage, waiting) == nullptr) ++stage;
  waiting.stage = stage;
  if (stage == kReadyStage) return SetReady(waiting, true);
  Gate& gate = *GateOf(stage, waiting);
  if (gate.open() && !gate.Fits(waiting.request.slots)) gate.Close(stage);
  if (gate.Add(&waiting)) Offer(stage + 1, waiting);
  Rebalance(stage, gate);
}

// It no longer wants to pass at all.
void View::Retract(Waiting& waiting) {
  waiting.stage = kNoStage;
  Withdraw(kJobStage, waiting);
}

// The same from this stage on; Waiting::stage says so already.
void View::Withdraw(int stage, Waiting& waiting) {
  while (stage < kReadyStage && GateOf(stage, waiting) == nullptr) ++stage;
  if (stage == kReadyStage) return SetReady(waiting, false);
  Gate& gate = *GateOf(stage, waiting);
  if (gate.Remove(&waiting)) Withdraw(stage + 1, waiting);
  Rebalance(stage, gate);
}

void View::Rebalance(int stage, Gate& gate) {
  if (gate.open() && gate.Fits()) return;
  if (gate.open()) gate.Close(stage);
  while (Waiting* waiting = gate.Shrink()) {
    waiting->stage = stage;
    Withdraw(stage + 1, *waiting);
  }
  while (Waiting* waiting = gate.Grow()) Offer(stage + 1, *waiting);
  gate.OpenIfIdle();
}

void View::SetReady(Waiting& waiting, bool ready) {
  Row& row = *waiting.row;
  PoolView& pool = *waiting.place->pool;
  MarkDirty(pool);
  waiting.ready = ready;
  const bool before = row.ready > 0;
  row.ready += ready ? 1 : -1;
  if (!before) {
    pool.ready[row.size].insert(&row);
  } else if (row.ready == 0) {
    EraseFrom(pool.ready, row.size, &row);
  }
  // Who leaves altogether is followed by another look at its job.
  if (waiting.stage != kNoStage) IndexUsage(*waiting.place);
}

// Requests that fit into the pool since it grew, or don't any more.
void View::ChangeSize(const std::string& name, int64_t largest_before, int64_t total_before) {
  PoolView& pool = Pool(name);
  if (pool.largest() == largest_before && pool.slots_total == total_before) return;
  const auto change = [&](bool spans, int64_t before, int64_t after) {
    auto it = pool.all.upper_bound({spans, std::min(before, after)});
    for (; it != pool.all.end() && it->first <= SizeClass{spans, std::max(before, after)}; ++it) {
      for (const auto& [job, row] : it->second) {
        for (const auto& [task, waiting] : row->tasks) {
          const bool possible = IsPossible(*waiting);
          if (possible == waiting->possible) continue;
          waiting->possible = possible;
          possible ? Offer(kJobStage, *waiting) : Retract(*waiting);
        }
        IndexUsage(*row->place);
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
  const auto* found = FindIn(agents_, agent);
  return found == nullptr || !(*found)->known ? nullptr : found->get();
}
const Waiting* View::FindWaiting(TaskId task) const {
  const auto* found = waiting_.Find(task);
  return found == nullptr ? nullptr : found->get();
}
const RunningTask* View::FindRunning(TaskId task) const {
  const auto* found = running_.Find(task);
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
