#include "master/scheduler/scheduler.h"

#include "master/scheduler/policies.h"

namespace det::scheduler {
namespace {

void PlaceWithoutSlots(Draft& draft) {
  int64_t passed_over = 0;
  for (const Waiting* waiting : draft.pool().aux) {
    if (draft.full()) return;
    if (!draft.Place(*waiting) && ++passed_over == kPassedOverMax) return;
  }
}

}  // namespace

Plan Schedule(const View& view, const std::string& pool) {
  if (view.FindPool(pool) == nullptr) return {};
  Draft draft(view, pool);
  PlaceWithoutSlots(draft);
  if (draft.pool().rules.policy == Policy::kFairShare) {
    RunFairShare(view, draft);
  } else {
    RunPriority(view, draft);
  }
  return draft.TakePlan();
}

}  // namespace det::scheduler
