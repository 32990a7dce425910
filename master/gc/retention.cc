#include "master/gc/retention.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <tuple>

namespace det::gc {
namespace {

bool IsNewer(const Checkpoint& a, const Checkpoint& b) {
  return std::tie(a.steps, a.reported, a.trial, a.uuid) >
         std::tie(b.steps, b.reported, b.trial, b.uuid);
}

// Both have a metric.
bool IsBetter(const Checkpoint& a, const Checkpoint& b, bool smaller_is_better) {
  const bool a_nan = std::isnan(*a.metric);
  const bool b_nan = std::isnan(*b.metric);
  if (a_nan != b_nan) return b_nan;
  if (!a_nan && *a.metric != *b.metric) return (*a.metric < *b.metric) == smaller_is_better;
  return IsNewer(a, b);
}

using Indexes = std::vector<size_t>;

void KeepFirst(const Indexes& order, int64_t count, std::vector<bool>* kept) {
  for (size_t i = 0; i < order.size() && static_cast<int64_t>(i) < count; ++i) {
    (*kept)[order[i]] = true;
  }
}

}  // namespace

std::vector<size_t> PlanDeletion(const std::vector<Checkpoint>& checkpoints,
                                 const Policy& policy,
                                 bool smaller_is_better) {
  const auto better = [&](size_t a, size_t b) {
    return IsBetter(checkpoints[a], checkpoints[b], smaller_is_better);
  };
  const auto newer = [&](size_t a, size_t b) { return IsNewer(checkpoints[a], checkpoints[b]); };
  Indexes measured;
  std::map<TrialId, Indexes> by_trial;
  std::vector<bool> kept(checkpoints.size(), false);
  for (size_t i = 0; i < checkpoints.size(); ++i) {
    if (checkpoints[i].metric.has_value()) measured.push_back(i);
    by_trial[checkpoints[i].trial].push_back(i);
    kept[i] = checkpoints[i].referenced;
  }
  std::sort(measured.begin(), measured.end(), better);
  KeepFirst(measured, policy.save_experiment_best, &kept);
  for (auto& [trial, all] : by_trial) {
    std::sort(all.begin(), all.end(), newer);
    const bool live = checkpoints[all.front()].trial_live;
    KeepFirst(all, std::max<int64_t>(policy.save_trial_latest, live ? 1 : 0), &kept);
    std::erase_if(all, [&](size_t i) { return !checkpoints[i].metric.has_value(); });
    std::sort(all.begin(), all.end(), better);
    KeepFirst(all, policy.save_trial_best, &kept);
  }
  Indexes going;
  for (size_t i = 0; i < checkpoints.size(); ++i) {
    if (!kept[i]) going.push_back(i);
  }
  return going;
}

}  // namespace det::gc
