#pragma once

#include <map>
#include <memory>

#include "common/base/mutex.h"
#include "master/catalog/catalog.h"

namespace det::catalog {

// Projects that an experiment is on its way to. The journal's rows refer to projects without a lock
// of the database's, so a project may not go between the answer that it is there and the commit of
// the experiment. One process at a time writes, and what it had on its way ends with it: memory is
// enough. Any thread.
class Catalog::Holds {
 public:
  // Nothing while the project is being deleted or moved.
  std::shared_ptr<void> Hold(ProjectId project) {
    MutexLock lock(state_->mutex);
    int& count = state_->count[project];
    if (count < 0) return nullptr;
    ++count;
    return {state_.get(), [state = state_, project](void*) {
              MutexLock release(state->mutex);
              if (--state->count[project] == 0) state->count.erase(project);
            }};
  }

  // Keeps others from holding it; nothing while somebody does.
  std::shared_ptr<void> Take(ProjectId project) {
    MutexLock lock(state_->mutex);
    if (!state_->count.emplace(project, -1).second) return nullptr;
    return {state_.get(), [state = state_, project](void*) {
              MutexLock release(state->mutex);
              state->count.erase(project);
            }};
  }

 private:
  struct State {
    Mutex mutex;
    std::map<ProjectId, int> count ABSL_GUARDED_BY(mutex);  // -1: taken
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace det::catalog
