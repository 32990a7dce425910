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
  // What the pass did to a job that it looked at.
  struct Account {
    int64_t slots = 0;  // that it holds more than the view says
    TaskId served;      // the last of its requests that was looked at
    bool hungry = false;
    UsageKey due;  // where it stands in hungry_, if it does
  };

  // What the job holds for its weight, with `more` slots.
  double Usage(const JobState& job, double more) const {
    const Account* account = accounts_.Find(job.job.id);
    const int64_t changed = account == nullptr ? 0 : account->slots;
    return job.usage(static_cast<double>(changed) + more);
  }
  static double Half(int64_t slots) { return static_cast<double>(slots) / 2; }

  // The next request of the job that holds least for its weight. That job rests until GoOn.
  const Waiting* Next() {
    const UsageSet& starving = draft_.pool().starving;
    while (clean_ != starving.end() && accounts_.Contains(clean_->key.job)) ++clean_;
    const bool again = !hungry_.empty() && (clean_ == starving.end() || *hungry_.begin() < *clean_);
    if (!again && clean_ == starving.end()) return nullptr;
    const JobInPool& place = again ? *hungry_.begin()->place : *clean_->place;
    Account& account = accounts_[place.job->job.id];
    if (again) hungry_.erase(hungry_.begin());
    account.hungry = false;
    const ReadyTask next = place.FirstReady(account.served);
    account.served = next.task;
    return next.waiting;
  }

  // The job waits again, for its next request, if it has one.
  void Enqueue(JobInPool& place, Account& account) {
    const ReadyTask first = place.FirstReady(account.served);
    if (first.waiting == nullptr) return;
    const JobState& job = *place.job;
    const double more = static_cast<double>(account.slots) + Half(first.slots);
    account.hungry = true;
    account.due = {-job.age, job.usage(more), job.job.position, job.job.id};
    hungry_.insert({account.due, &place});
  }

  // A job whose slots are taken is due earlier than the view says.
  void TakeFrom(const RunningTask& task) {
    JobInPool& place = *task.place;
    const bool rested = accounts_.Contains(place.job->job.id);
    Account& account = accounts_[place.job->job.id];
    const bool waits = !rested || account.hungry;
    if (account.hungry) hungry_.erase({account.due, &place});
    account.hungry = false;
    account.slots -= task.slots;
    if (waits) Enqueue(place, account);
  }

  void GoOn(const Waiting& served) {
    Account& account = accounts_[served.job->job.id];
    account.slots += served.request.slots;
    Enqueue(*served.place, account);
  }

  bool WaitFor(const Waiting& waiting) { return draft_.Promise(waiting) || TryPreempt(waiting); }

  // Tasks of those who hold most for their weight, one after the other, until some agent has the
  // slots. What a job gives up was worth less to it than it is to the waiting one, so they never
  // take from each other in turns.
  std::vector<const RunningTask*> Victims(const Waiting& waiting) const {
    Search search{.level = Usage(*waiting.job, Half(waiting.request.slots)),
                  .kept = draft_.Avoided(waiting)};
    const auto& holding = draft_.pool().holding;
    auto next = holding.rbegin();
    for (int64_t looked = 0; looked < kVictimsLookedAtMax; ++looked) {
      // A job further on holds no more than it did when the pass began.
      while (next != holding.rend() && next->key.usage > search.level &&
             (search.most.empty() || search.most.rbegin()->first.first < next->key.usage)) {
        if (next->place != waiting.place) Offer(search, *next->place);
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
    Kept kept;
    // Who can spare a task.
    std::map<std::pair<double, ExperimentId>, JobInPool*> most{};
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
  const RunningTask* Latest(Search& search, const JobInPool& place) const {
    auto& next = search.next.try_emplace(place.job->job.id, place.victims.begin()).first->second;
    while (next != place.victims.end() && IsSpared(**next)) ++next;
    if (next == place.victims.end()) return nullptr;
    return *next;
  }

  void Offer(Search& search, JobInPool& place) const {
    const RunningTask* task = Latest(search, place);
    if (task == nullptr) return;
    const auto taken = static_cast<double>(search.taken[place.job->job.id]);
    const double usage = Usage(*place.job, -taken - Half(task->slots));
    if (usage > search.level) search.most.emplace(std::pair(usage, place.job->job.id), &place);
  }

  // The task that its job can spare best.
  const RunningTask* NextVictim(Search& search) const {
    JobInPool& place = *search.most.rbegin()->second;
    search.most.erase(std::prev(search.most.end()));
    const RunningTask* task = *search.next.at(place.job->job.id)++;
    search.taken[place.job->job.id] += task->slots;
    Offer(search, place);
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
                          agent->pool == waiting.request.pool && !search.kept.Off(agent->agent);
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
    for (const RunningTask* victim : victims) TakeFrom(*victim);
    draft_.Preempt(waiting, victims);
    if (++preemptions_ == kPreemptionsPerPassMax) draft_.plan().complete = false;
    return true;
  }

  const View& view_;
  Draft& draft_;
  UsageSet::const_iterator clean_;  // jobs before it have accounts
  UsageSet hungry_;                 // jobs that were served and want more
  IdMap<ExperimentId, Account> accounts_;
  int64_t preemptions_ = 0;
};

}  // namespace

void RunFairShare(const View& view, Draft& draft) {
  FairShare(view, draft).Run();
}

}  // namespace det::scheduler
