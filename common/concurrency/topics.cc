#include "common/concurrency/topics.h"

#include <utility>
#include <vector>

namespace det {

Topics::Subscription::~Subscription() {
  topics_->Drop(topic_, id_);
}

std::unique_ptr<Topics::Subscription> Topics::Subscribe(int64_t topic, Wake wake) {
  MutexLock lock(mutex_);
  const int64_t id = next_++;
  waiting_[topic][id] = std::make_shared<Wake>(std::move(wake));
  return std::unique_ptr<Subscription>(new Subscription(this, topic, id));
}

// Called without the lock: what is woken may end its subscription.
void Topics::Announce(int64_t topic) {
  std::vector<std::shared_ptr<Wake>> woken;
  {
    MutexLock lock(mutex_);
    const auto at = waiting_.find(topic);
    if (at == waiting_.end()) return;
    for (const auto& [id, wake] : at->second) woken.push_back(wake);
  }
  for (const auto& wake : woken) (*wake)();
}

void Topics::Drop(int64_t topic, int64_t id) {
  MutexLock lock(mutex_);
  const auto at = waiting_.find(topic);
  if (at == waiting_.end()) return;
  at->second.erase(id);
  if (at->second.empty()) waiting_.erase(at);
}

}  // namespace det
