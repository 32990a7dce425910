#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "common/base/mutex.h"

namespace det {

// Tells those who wait for news of something, named by a number, that there is some. A
// subscription that exists when news is announced hears of it, so who subscribes first and then
// looks misses nothing. Any thread.
class Topics {
 public:
  using Wake = std::function<void()>;

  class Subscription {
   public:
    ~Subscription();
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

   private:
    friend class Topics;
    Subscription(Topics* topics, int64_t topic, int64_t id)
        : topics_(topics), topic_(topic), id_(id) {}
    Topics* const topics_;
    const int64_t topic_;
    const int64_t id_;
  };

  // `wake` is called for each announcement until the subscription is gone, and once more perhaps
  // if it goes meanwhile. It must not block. The subscription must go before this does.
  std::unique_ptr<Subscription> Subscribe(int64_t topic, Wake wake);
  void Announce(int64_t topic);

 private:
  void Drop(int64_t topic, int64_t id);

  Mutex mutex_;
  int64_t next_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<int64_t, std::map<int64_t, std::shared_ptr<Wake>>> waiting_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace det
