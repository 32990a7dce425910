#pragma once

#include <cstdlib>
#include <functional>
#include <string>

#include "common/base/check.h"
#include "common/os/fs.h"
#include "common/os/pause.h"
#include "common/os/process.h"

// For tests only.
namespace det::testing {

// A directory that goes with its owner.
class TempDir {
 public:
  TempDir() {
    const char* base = std::getenv("TMPDIR");
    path_ = std::string(base == nullptr ? "/tmp" : base) + "/det-test-XXXXXX";
    DET_CHECK(::mkdtemp(path_.data()) != nullptr);
  }
  ~TempDir() { (void)RemoveTree(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

// Waits for a level, not for a time: true as soon as the condition holds.
inline bool Eventually(const std::function<bool()>& condition,
                       absl::Duration timeout = absl::Seconds(30)) {
  const absl::Duration deadline = SteadyNow() + timeout;
  while (!condition()) {
    if (SteadyNow() > deadline) return condition();
    PauseFor(absl::Milliseconds(1));
  }
  return true;
}

}  // namespace det::testing
