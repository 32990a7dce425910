#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/base/mutex.h"
#include "common/concurrency/topics.h"
#include "master/engine/engine.h"
#include "master/ingest/batch_writer.h"
#include "master/ingest/intake.h"
#include "master/ingest/limits.h"

namespace det::ingest {

// The data plane's way into the store: shipments are written in batches by a few threads, what the
// core must hear is posted to it, and a stream is acknowledged up to the last record for which both
// are durable. Any thread.
class Ingestor {
 public:
  struct Deps {
    std::string conninfo;
    engine::Engine& engine;
    // The lease was taken, or a writer can't go on: the process must end.
    std::function<void(absl::Status)> on_fatal;
    int64_t queued_bytes_max = kQueuedBytesMax;
    int64_t log_retention_days = -1;  // of experiments that say nothing; -1: for ever
    Topics* log_news = nullptr;       // told of each trial that has new lines; may be none
  };
  struct Totals {
    std::atomic<int64_t> metric_rows{0};
    std::atomic<int64_t> log_rows{0};
    std::atomic<int64_t> refused{0};     // shipments of runs that were over
    std::atomic<int64_t> unreadable{0};  // reports and log records that could not be stored
    std::atomic<int64_t> retries{0};
  };

  explicit Ingestor(Deps deps, int writers = 2);
  ~Ingestor();

  // Queues the shipment and leaves it empty; of one stream in the order of the calls. False when
  // the queue is full: nothing was taken, and the sender is told once there is room.
  bool Offer(Shipment* shipment, const std::shared_ptr<Sender>& sender);

  const Totals& totals() const { return totals_; }
  int64_t queued_bytes() const { return queued_bytes_.load(std::memory_order_relaxed); }

 private:
  struct Item {
    std::shared_ptr<Sender> sender;
    Shipment shipment;
    int64_t bytes = 0;
  };
  struct Writer {
    Mutex mutex;
    CondVar wake;
    std::deque<Item> queue ABSL_GUARDED_BY(mutex);
    bool stopping ABSL_GUARDED_BY(mutex) = false;
    std::thread thread;
  };

  void Loop(Writer& writer);
  std::vector<Item> Next(Writer& writer);
  absl::Status Store(Writer& writer, BatchWriter& out, std::vector<Item> items);
  absl::Status StoreOneByOne(Writer& writer,
                             BatchWriter& out,
                             const std::vector<Item>& items,
                             std::vector<Stored>* stored);
  absl::Status StoreRecords(Writer& writer,
                            BatchWriter& out,
                            const Shipment& shipment,
                            Stored* stored);
  absl::Status Persist(Writer& writer, const std::function<absl::Status()>& write);
  void Finish(Writer& writer, std::vector<Item> items, const std::vector<Stored>& stored);
  void TellNews(const std::vector<Item>& items, const std::vector<Stored>& stored);
  bool AwaitCore(Writer& writer, int64_t commands);
  bool Pause(Writer& writer, absl::Duration duration);
  void MakeRoom(int64_t bytes);

  Deps deps_;
  Totals totals_;
  std::atomic<int64_t> queued_bytes_{0};
  Mutex room_mutex_;
  std::vector<std::shared_ptr<Sender>> waiting_for_room_ ABSL_GUARDED_BY(room_mutex_);
  std::vector<std::unique_ptr<Writer>> writers_;
};

}  // namespace det::ingest
