#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "agent/session/channel.h"
#include "agent/session/outbound.h"
#include "agent/session/spool_watch.h"
#include "common/base/ids.h"
#include "common/base/mutex.h"

namespace det::agent {

// The data connection: carries what runs report and print to the master, keeps what the master has
// not acknowledged, and says when a run that has ended has nothing left to report. The connection
// is opened when there is something to send. Any thread.
class Shipper {
 public:
  // Called on the shipper's threads.
  using OnDrained = std::function<void(AllocationId)>;

  Shipper(MasterAddress address, OnDrained on_drained);
  ~Shipper();

  void Add(AllocationId id, Outbound::Options options);
  // The run has ended and its log is complete: say when it is drained.
  void MarkFinal(AllocationId id);
  // Forgets the run. Log lines that were not sent yet are sent first, for a while: `gone` is called
  // when its files are no longer needed.
  void Remove(AllocationId id, std::function<void()> gone);
  // There is something new to send.
  void Wake();
  // What was sampled of the run; forgotten when there is no such run.
  void AddSamples(AllocationId id, std::vector<v1::Report> samples);

 private:
  struct Run {
    explicit Run(Outbound::Options options) : outbound(std::move(options)) {}
    Outbound outbound;
    bool watched = false;  // what is written to its log is told
    bool look = true;      // there may be something to send
    bool final = false;
    bool told_drained = false;
    std::string error;           // of reading its spool, as it was logged
    std::function<void()> gone;  // set: it is to go
    absl::Duration go_by;        // steady
  };
  struct Stream;

  void Loop();
  void Rest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TryToWatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnLogChange(AllocationId id);
  bool SendRound(Stream* stream, bool* sent);
  void Settle();
  std::unique_ptr<Stream> Open();
  void Close(std::unique_ptr<Stream> stream);
  void ReadReplies(Stream& stream);
  void PauseBeforeRetry(Backoff* backoff);
  std::optional<v1::ShipRequest> NextOf(Run& run) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const MasterAddress address_;
  const OnDrained on_drained_;
  Mutex mutex_;
  CondVar wake_;
  std::map<AllocationId, std::shared_ptr<Run>> runs_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;  // since the last round began
  bool stream_broken_ ABSL_GUARDED_BY(mutex_) = false;
  bool replied_ ABSL_GUARDED_BY(mutex_) = false;  // the master, since that was last asked
  std::string refusal_;                           // the last one that was logged
  Stream* stream_ ABSL_GUARDED_BY(mutex_) = nullptr;
  SpoolWatch watch_;
  std::thread thread_;
};

}  // namespace det::agent
