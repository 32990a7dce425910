#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "agent/core/agent_core.h"
#include "agent/task/task_spec.h"
#include "common/os/process.h"
#include "common/os/unique_fd.h"

// A task's directory, which the agent and det-shim share:
//   lock    held from before the shim starts until it ends
//   spec    TaskOrder: what to run
//   shim    ShimRecord: written before the program starts, so where it is, it may have started
//   exit    ExitRecord: how it ended
//   log/    what it printed (agent/spool/log_record.h)
//   shim.err  what the shim itself has to complain about
namespace det::agent {

// The order as the shim gets it.
struct TaskOrder {
  TaskSpec spec;
  std::string token;  // marks every process of the task
};

struct ShimRecord {
  ProcessId shim;
  std::string token;
  std::vector<std::string> cgroups;  // directories of its control group
};

struct ExitRecord {
  Exit exit;
  absl::Time ended;
};

// What the shim says to whoever started it, once.
struct ShimAnswer {
  bool started = false;  // it has taken over, or had before
  int code = 0;          // otherwise: an absl::StatusCode, a reason and a message
  std::string reason;
  std::string message;
};

template <class A>
void Fields(A& a, TaskOrder& x) {
  a(x.spec, x.token);
}
template <class A>
void Fields(A& a, ShimRecord& x) {
  a(x.shim, x.token, x.cgroups);
}
template <class A>
void Fields(A& a, ExitRecord& x) {
  a(x.exit, x.ended);
}
template <class A>
void Fields(A& a, ShimAnswer& x) {
  a(x.started, x.code, x.reason, x.message);
}

// Descriptors that det-shim --adopt expects.
inline constexpr int kLockDescriptor = 3;
inline constexpr int kAnswerDescriptor = 4;

// Reading: NOT_FOUND (NO_SUCH_FILE) when the file is not there, DATA_LOSS (RECORD_DAMAGED) when it
// is not what was written, FAILED_PRECONDITION (RECORD_VERSION) when another version of det wrote
// it. Any thread.
class TaskFiles {
 public:
  explicit TaskFiles(std::string directory) : directory_(std::move(directory)) {}

  const std::string& directory() const { return directory_; }
  std::string lock() const { return Path("lock"); }
  std::string log() const { return Path("log"); }
  std::string errors() const { return Path("shim.err"); }
  std::string order() const { return Path("spec"); }
  std::string shim() const { return Path("shim"); }
  std::string exit() const { return Path("exit"); }

  absl::Status WriteOrder(const TaskOrder& order) const;
  absl::StatusOr<TaskOrder> ReadOrder() const;
  absl::Status WriteShim(const ShimRecord& record) const;
  absl::StatusOr<ShimRecord> ReadShim() const;
  absl::Status WriteExit(const ExitRecord& record) const;
  absl::StatusOr<ExitRecord> ReadExit() const;

 private:
  std::string Path(std::string_view name) const;

  std::string directory_;
};

// Room on disk for an exit record, taken while there is some: the record can then be written
// however full the disk is. One thread.
class ExitReserve {
 public:
  static absl::StatusOr<ExitReserve> Take(const TaskFiles& files);

  // Long texts are cut.
  absl::Status Write(ExitRecord record);
  void GiveUp();

 private:
  ExitReserve(const TaskFiles& files, UniqueFd fd) : files_(files), fd_(std::move(fd)) {}

  TaskFiles files_;
  UniqueFd fd_;
};

}  // namespace det::agent
