#include <algorithm>

#include "master/scheduler/policies.h"

// Weighted max-min fairness by progressive filling (Bertsekas and Gallager, "Data Networks", 6.5):
// whatever is free goes to the job that has the least for its weight. Tasks are whole, so the job's
// next task counts by half, which rounds the exact shares to the nearest (Webster's method of
// apportionment: Balinski and Young, "Fair Representation"). Limits of a job cap its demand, since
// requests beyond them are not ready.
namespace det::scheduler {
namespace {

class FairShare {
 public:
  FairShare(const View& view, Draft& draft)
      : view_(view), draft_(draft), clean_(draft.pool().starving.begin()) {}

  void Run() {
    int64_t passed_over = 0;
    while (!draft_.full()) {
      if (draft_.has_reserved() && std::max(draft_.Room(false), draft_.Room(true)) == 0) return;
      const Waiting* next = Next();
      if (next == nullptr) return;
      if (draft_.Place(*next) || (!draft_.has_reserved() && WaitFor(*next))) {
        GoOn(*next);
      } else if (draft_.has_reserved() && ++passed_over == kPassedOverMax) {
        return;
      } else if (!draft_.has_reserved()) {
        draft_.Reserve(*next);
      }
    }
    draft_.plan().complete = false;
  }

 private:
  // What the job holds for its weight, with `more` slots.
  double Usage(const JobState& job, double more) const {
    const auto it = accounts_.find(job.job.id);
    const int64_t changed = it == accounts_.end() ? 0 : it->second;
    return job.usage(static_cast<double>(changed) + more);
  }
  static double Half(int64_t slots) { return static_cast<double>(slots) / 2; }

  UsageKey KeyOf(const Waiting& next) const {
    const JobState& job = *next.job;
    return {-job.age, Usage(job, Half(next.request.slots)), job.job.position, job.job.id};
  }
  // The job's first request that the pass has not looked at; nullptr is none.
  const Waiting* FirstOf(ExperimentId job) const {
    const auto row = rows_.find(job);
    const auto ready = draft_.pool().ready_of_job.find(job);
    if (ready == draft_.pool().ready_of_job.end()) return nullptr;
    const auto first = row == rows_.end() ? ready->second.begin() : row->second;
    if (first == ready->second.end()) return nullptr;
    return *first;
  }

  // The next request of the job that holds least for its weight. That job rests until GoOn.
  const Waiting* Next() {
    const auto& starving = draft_.pool().starving;
    while (clean_ != starving.end() && accounts_.contains(clean_->job)) ++clean_;
    const bool again = !hungry_.empty() && (clean_ == starving.end() || *hungry_.begin() < *clean_);
    if (!again && clean_ == starving.end()) return nullptr;
    const ExperimentId job = again ? hungry_.begin()->job : clean_->job;
    if (again) hungry_.erase(hungry_.begin());
    accounts_.try_emplace(job, 0);
    auto row = rows_.try_emplace(job, draft_.pool().ready_of_job.at(job).begin()).first;
    return *row->second++;
  }

  // A job whose slots are taken is due earlier than the view says.
  void TakeFrom(const JobState& job, int64_t slots) {
    const ExperimentId id = job.job.id;
    const Waiting* first = FirstOf(id);
    const bool waits =
        first != nullptr && (hungry_.erase(KeyOf(*first)) > 0 || !accounts_.contains(id));
    accounts_[id] -= slots;
    if (waits) hungry_.insert(KeyOf(*first));
  }

  void GoOn(const Waiting& served) {
    const ExperimentId id = served.job->job.id;
    accounts_[id] += served.request.slots;
    if (const Waiting* first = FirstOf(id)) hungry_.insert(KeyOf(*first));
  }

  bool WaitFor(const Waiting& waiting) { return draft_.Promise(waiting) || TryPreempt(waiting); }

  // Tasks of those who hold most for their weight, one after the other, until some agent has the
  // slots. What a job gives up was worth less to it than it is to the waiting one, so they never
  // take from each other in turns.
  std::vector<const RunningTask*> Victims(const Waiting& waiting) const {
    Search search{.level = Usage(*waiting.job, Half(waiting.request.slots)),
                  .avoid = draft_.Avoided(waiting)};
    const auto& holding = draft_.pool().holding;
    auto next = holding.rbegin();
    for (int64_t looked = 0; looked < kVictimsLookedAtMax; ++looked) {
      // A job further on holds no more than it did when the pass began.
      while (next != holding.rend() && next->usage > search.level &&
             (search.most.empty() || std::prev(search.most.end())->first < next->usage)) {
        if (next->job != waiting.job->job.id) Offer(search, *view_.FindJob(next->job));
        ++next;
        if (++looked == kVictimsLookedAtMax) break;
      }
      if (search.most.empty()) return {};
      const std::vector<const RunningTask*> enough = Enough(search, waiting, *NextVictim(search));
      if (!enough.empty()) return enough;
    }
    return {};
  }

  struct Search {
    double level = 0;  // by which the waiting request is due
    AgentId avoid;
    std::set<std::pair<double, ExperimentId>> most{};  // who can spare a task
    std::map<ExperimentId, int64_t> taken{};
    std::map<ExperimentId, VictimSet::const_iterator> next{};
    std::map<AgentId, std::vector<const RunningTask*>> on_agent{};
    std::vector<const RunningTask*> all{};
  };

  // A task that was placed for the age of its job keeps what that waited for so long: its share, by
  // which it was not its turn, would take it away at once.
  bool IsSpared(const RunningTask& task) const {
    return draft_.IsSignaled(task.running.task) || task.running.priority < task.job->job.priority;
  }

  // The job's latest task that could be asked, nullptr is none.
  const RunningTask* Latest(Search& search, ExperimentId job) const {
    const VictimSet& tasks = draft_.pool().victims_of_job.at(job);
    auto& next = search.next.try_emplace(job, tasks.begin()).first->second;
    while (next != tasks.end() && IsSpared(**next)) ++next;
    if (next == tasks.end()) return nullptr;
    return *next;
  }

  void Offer(Search& search, const JobState& job) const {
    const RunningTask* task = Latest(search, job.job.id);
    if (task == nullptr) return;
    const auto taken = static_cast<double>(search.taken[job.job.id]);
    const double usage = Usage(job, -taken - Half(task->slots));
    if (usage > search.level) search.most.emplace(usage, job.job.id);
  }

  // The task that its job can spare best.
  const RunningTask* NextVictim(Search& search) const {
    const ExperimentId id = std::prev(search.most.end())->second;
    search.most.erase(std::prev(search.most.end()));
    const RunningTask* task = *search.next.at(id)++;
    search.taken[id] += task->slots;
    Offer(search, *task->job);
    return task;
  }

  // With this one, are they enough? Then as few as are.
  std::vector<const RunningTask*> Enough(Search& search,
                                         const Waiting& waiting,
                                         const RunningTask& task) const {
    search.all.push_back(&task);
    const int64_t slots = waiting.request.slots;
    if (waiting.request.spans) {
      return Fewest(search.all, nullptr, slots - draft_.SoonInAll());
    }
    for (const Piece& piece : task.running.pieces) {
      const AgentSlots* agent = view_.FindAgent(piece.agent);
      const bool usable = agent != nullptr && agent->schedulable &&
                          agent->pool == waiting.request.pool && agent->agent != search.avoid;
      if (!usable) continue;
      std::vector<const RunningTask*>& tasks = search.on_agent[agent->agent];
      tasks.push_back(&task);
      auto enough = Fewest(tasks, agent, slots - draft_.Soon(*agent));
      if (!enough.empty()) return enough;
    }
    return {};
  }

  bool TryPreempt(const Waiting& waiting) {
    if (!draft_.pool().rules.preemption || preemptions_ == kPreemptionsPerPassMax) return false;
    const std::vector<const RunningTask*> victims = Victims(waiting);
    if (victims.empty()) return false;
    for (const RunningTask* victim : victims) TakeFrom(*victim->job, victim->slots);
    draft_.Preempt(waiting, victims);
    if (++preemptions_ == kPreemptionsPerPassMax) draft_.plan().complete = false;
    return true;
  }

  const View& view_;
  Draft& draft_;
  absl::btree_set<UsageKey>::const_iterator clean_;  // jobs before it have accounts
  std::set<UsageKey> hungry_;                        // jobs that were served and want more
  std::map<ExperimentId, int64_t> accounts_;         // slots more than the view says
  std::map<ExperimentId, WaitingSet::const_iterator> rows_;
  int64_t preemptions_ = 0;
};

}  // namespace

void RunFairShare(const View& view, Draft& draft) {
  FairShare(view, draft).Run();
}

}  // namespace det::scheduler
