#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "det/trial/v1/trial.pb.h"

#include "agent/checkpoints/run_checkpoints.h"
#include "agent/spool/segment_log.h"
#include "common/base/mutex.h"
#include "common/base/secret.h"
#include "common/concurrency/thread_pool.h"
#include "common/concurrency/timer.h"
#include "common/net/http_server.h"

namespace det::agent {

// A trial's way to its agent: HTTP on a unix socket of its own, open to whoever has the run's
// token. Reports are on disk when their answer goes out; what comes twice is known by its number.
// A checkpoint whose storage is a bucket is there when its report is answered. Any thread.
class Relay {
 public:
  struct Options {
    std::string socket_path;
    std::string spool_directory;
    Secret token;
    trial::v1::InfoResponse info;  // all but last_seq
    // Where checkpoints are brought to before their reports count; none: the trial wrote them to
    // their place. Canceled when the relay goes.
    std::shared_ptr<RunCheckpoints> checkpoints;
    ThreadPool* transfers = nullptr;  // beside `checkpoints`; outlives the relay
  };
  // Called on the relay's thread; must not block.
  struct Events {
    std::function<void()> on_report;
    std::function<void()> on_preemption_watched;
    std::function<void()> on_preemption_acked;
  };

  // `timer` outlives the relay.
  static absl::StatusOr<std::unique_ptr<Relay>> Start(Options options, Events events, Timer& timer);
  ~Relay();

  // From now on whoever asks is told to leave.
  void Preempt(const std::string& reason);

 private:
  // What the server's thread and the timer share; a timer may fire after the relay has gone.
  struct Core;
  explicit Relay(std::shared_ptr<Core> core);

  std::shared_ptr<Core> core_;
  std::unique_ptr<HttpServer> server_;
};

// How the relay names its stream and the reader of printed reports names its own.
inline constexpr int kRelayStream = 0;
inline constexpr int kLogStream = 1;
inline constexpr int kLogReportStream = 2;
inline constexpr int kSampleStream = 3;

}  // namespace det::agent
