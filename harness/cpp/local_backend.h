#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>

#include "harness/cpp/backend.h"

namespace det::harness {

// Prints metrics, one line a report, and lists checkpoints in a file of their folder: for programs
// that run by hand.
class LocalBackend : public Backend {
 public:
  // Reads its options from the command line (Context::Create). Throws Error.
  LocalBackend(int argc, const char* const* argv);

  const RunInfo& info() const override { return info_; }
  void Report(const ReportBody& body) override;
  bool ShouldPreempt() override { return false; }
  void AckPreemption() override {}

 private:
  void ReadOption(const std::string& option, const std::string& value);
  void Resume();
  void List(const CheckpointReport& report);

  RunInfo info_;
  std::mutex mutex_;  // a line is printed or written as a whole
};

}  // namespace det::harness
