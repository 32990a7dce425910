#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"

#include "common/base/mutex.h"
#include "common/os/lock_file.h"
#include "common/os/process.h"

namespace det::pg {

// A PostgreSQL of our own: made on first use, reachable through a unix socket in a folder that only
// its user may enter, started again when it dies, and stopped with this process, whatever way that
// ends. As root it runs as the user "postgres" (else "nobody"), since it refuses root.
//
// The database is made once: a marker beside the folder says so from then on. A database that went
// missing, such as that of a volume which is not mounted, is never replaced by an empty one.
//
// What an earlier life left is dealt with first: a server of it that still runs is stopped, stray
// backends are ended, stale lock files are removed. Only PostgreSQL processes whose working
// directory is this data directory are touched.
class PrivateServer {
 public:
  struct Options {
    std::string directory;  // made if need be; holds data/, log and lock
    bool durable = true;    // false: no fsync, for tests
    bool create = true;     // false: a database that was never made is not made now
    // Asked while Start waits, which may be minutes after a crash: true ends it (CANCELLED).
    std::function<bool()> stopped = {};
  };

  // Any thread, but the object keeps a thread of its own from which the server is started: the
  // kernel ends the server when that thread ends. Waits until the server answers.
  // UNAVAILABLE (LOCK_HELD): another process keeps a server here. FAILED_PRECONDITION: no
  // PostgreSQL programs, another major version's data, a database that is gone (DATA_GONE), or a
  // folder that can't be used; says what to do.
  static absl::StatusOr<std::unique_ptr<PrivateServer>> Start(Options options);
  // For libpq: the server that another process keeps in the directory.
  static absl::StatusOr<std::string> ConninfoOf(const std::string& directory);
  // Stops the server, which writes its state out first.
  ~PrivateServer();

  // For libpq.
  const std::string& conninfo() const { return conninfo_; }
  // The server's process now, for tests that kill it. 0 while there is none.
  pid_t pid() const { return pid_; }

 private:
  struct Layout;
  explicit PrivateServer(std::unique_ptr<Layout> layout, LockFile lock);

  void Supervise();
  absl::Status StartOnce(bool may_create);
  bool WaitForEnd();
  bool IsStopping();

  std::unique_ptr<Layout> layout_;
  LockFile lock_;
  std::string conninfo_;
  std::atomic<pid_t> pid_{0};
  Mutex mutex_;
  CondVar changed_;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status first_start_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace det::pg
