#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include <sys/types.h>

#include "common/os/unique_fd.h"

namespace det::bench {

// A child process, ended with its owner. One thread.
class Program {
 public:
  // The environment is this process's own and `env` ("NAME=value"). With `output` its standard
  // output can be read.
  struct Options {
    std::vector<std::string> argv;
    std::vector<std::string> env;
    bool output = false;
  };
  static absl::StatusOr<Program> Start(Options options);
  // SIGTERM, then SIGKILL when it does not end within 20 s.
  ~Program();
  Program(Program&& other) noexcept
      : pid_(std::exchange(other.pid_, 0)), output_(std::move(other.output_)) {}
  Program& operator=(Program&&) = delete;

  pid_t pid() const { return pid_; }
  // Until its end; its exit status, 128 + signal when a signal ended it.
  int Wait();
  void Kill();  // SIGKILL, and waits
  // One line of its standard output, without the newline; an error when that ends or nothing comes
  // in time.
  absl::StatusOr<std::string> ReadLine(absl::Duration patience);

 private:
  explicit Program(pid_t pid, UniqueFd output) : pid_(pid), output_(std::move(output)) {}

  pid_t pid_ = 0;  // 0: collected
  UniqueFd output_;
};

// Of /proc; 0 when the process has ended.
double RssMiB(pid_t pid);
double PeakRssMiB(pid_t pid);
// CPU time that it took so far.
absl::Duration CpuTime(pid_t pid);

}  // namespace det::bench
