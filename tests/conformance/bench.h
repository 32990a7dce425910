#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "agent/runtime/process_runtime.h"
#include "agent/spool/log_record.h"
#include "agent/spool/segment_log.h"
#include "agent/task/task_files.h"
#include "common/base/archive.h"
#include "common/base/mutex.h"
#include "common/base/strings.h"
#include "common/os/testing.h"

// What tests of real tasks share.
namespace det::agent {

inline std::string ShimPath() {
  return DET_BINARY_DIR "/bin/det-shim";
}
inline std::string TaskPath() {
  return DET_BINARY_DIR "/bin/det-test-task";
}
inline std::string OwnerPath() {
  return DET_BINARY_DIR "/bin/det-test-owner";
}

// Exits as a Watch tells them.
class Ends {
 public:
  Runtime::OnExit Catch() {
    return [this](const Exit& exit) {
      const MutexLock lock(mutex_);
      exits_.push_back(exit);
    };
  }
  size_t count() const {
    const MutexLock lock(mutex_);
    return exits_.size();
  }
  // Waits for the first.
  Exit Wait(absl::Duration timeout = absl::Seconds(60)) const {
    EXPECT_TRUE(testing::Eventually([this] { return count() > 0; }, timeout)) << "it does not end";
    const MutexLock lock(mutex_);
    return exits_.empty() ? Exit{.kind = ExitKind::kPrepareFailed, .text = "none"} : exits_[0];
  }

 private:
  mutable Mutex mutex_;
  std::vector<Exit> exits_;
};

struct PrintedLog {
  std::vector<spool::LogRecord> records;
  int64_t dropped = 0;

  std::string Text(spool::LogSource source) const {
    std::string text;
    for (const spool::LogRecord& record : records) {
      if (record.source == source) text += record.text + (record.partial ? "" : "\n");
    }
    return text;
  }
};

inline PrintedLog ReadLog(const std::string& directory) {
  spool::SegmentReader reader(TaskFiles(directory).log());
  PrintedLog log;
  int64_t from = 1;
  for (;;) {
    auto entries = reader.Read(from, 1000, 1 << 20);
    EXPECT_TRUE(entries.ok()) << entries.status();
    if (!entries.ok() || entries->empty()) return log;
    for (const spool::LogEntry& entry : *entries) {
      spool::LogRecord record;
      EXPECT_TRUE(DecodeArchive(entry.payload, &record));
      log.records.push_back(std::move(record));
      log.dropped += entry.dropped_before;
      from = entry.seq + 1;
    }
  }
}

inline std::vector<std::string> FileLines(const std::string& path) {
  std::vector<std::string> lines;
  const absl::StatusOr<std::string> content = ReadFile(path, 1 << 20);
  if (!content.ok()) return lines;
  std::string line;
  for (const char c : *content) {
    if (c == '\n') lines.push_back(std::exchange(line, ""));
    if (c != '\n') line.push_back(c);
  }
  return lines;
}

// One real task in a directory of its own.
class RealTask : public ::testing::Test {
 protected:
  RealTask() : runtime_(NewRuntime()) {}
  ~RealTask() override {
    // Whatever a test left running.
    (void)runtime_->Kill(directory_);
    (void)testing::Eventually([this] {
      const absl::StatusOr<Found> found = runtime_->Inspect(directory_);
      return !found.ok() || found->state != Found::State::kRunning;
    });
    // The shim never has anything to complain about, and sanitizers write there too.
    const absl::StatusOr<std::string> errors = ReadFile(TaskFiles(directory_).errors(), 1 << 20);
    EXPECT_EQ(errors.value_or(""), expected_complaint_);
  }

  static std::unique_ptr<ProcessRuntime> NewRuntime() {
    return std::make_unique<ProcessRuntime>(ProcessRuntime::Options{.shim_path = ShimPath()});
  }

  TaskSpec Spec(std::vector<std::string> argv) const {
    TaskSpec spec{.id = AllocationId(1), .directory = directory_, .argv = std::move(argv)};
    spec.use_cgroup = false;
    return spec;
  }
  TaskSpec TestTask(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), TaskPath());
    return Spec(std::move(arguments));
  }
  TaskSpec Shell(const std::string& script) const { return Spec({"/bin/sh", "-c", script}); }

  void Start(const TaskSpec& spec) {
    const absl::Status status = runtime_->Start(spec);
    ASSERT_TRUE(status.ok()) << status;
  }
  Exit WaitForExit(absl::Duration timeout = absl::Seconds(60)) {
    Ends ends;
    const absl::Status status = runtime_->Watch(directory_, ends.Catch());
    EXPECT_TRUE(status.ok()) << status;
    if (!status.ok()) return {.kind = ExitKind::kPrepareFailed, .text = "not watched"};
    const Exit exit = ends.Wait(timeout);
    // The callback must not outlive what it catches into.
    runtime_ = NewRuntime();
    return exit;
  }
  Exit Run(const TaskSpec& spec, absl::Duration timeout = absl::Seconds(60)) {
    Start(spec);
    return WaitForExit(timeout);
  }

  ProcessId ShimId() const {
    const absl::StatusOr<ShimRecord> record = TaskFiles(directory_).ReadShim();
    EXPECT_TRUE(record.ok()) << record.status();
    return record.ok() ? record->shim : ProcessId{};
  }
  Found::State State() {
    const absl::StatusOr<Found> found = runtime_->Inspect(directory_);
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() ? found->state : Found::State::kNothing;
  }
  // The processes that noted themselves there.
  std::vector<pid_t> Noted(const std::string& path, size_t count) const {
    EXPECT_TRUE(testing::Eventually([&] { return FileLines(path).size() >= count; }));
    std::vector<pid_t> pids;
    for (const std::string& line : FileLines(path)) pids.push_back(std::stoi(line));
    return pids;
  }
  static bool IsGone(pid_t pid) {
    const absl::StatusOr<ProcessStat> stat = ReadProcessStat(pid);
    return stat.ok() ? stat->ended() : stat.status().code() == absl::StatusCode::kNotFound;
  }

  testing::TempDir dir_;
  std::string directory_ = dir_ / "task";
  std::string note_ = dir_ / "note";
  std::string expected_complaint_;
  std::unique_ptr<ProcessRuntime> runtime_;
};

}  // namespace det::agent
