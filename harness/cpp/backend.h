#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <variant>

#include "harness/cpp/det.h"

// Where a context's reports go: the agent's relay, or the terminal of somebody who tries things.
namespace det::harness {

struct RunInfo {
  int64_t experiment = 0;
  int64_t trial = 0;
  std::string hparams_json = "{}";
  uint32_t seed = 0;
  int slots = 1;
  std::filesystem::path checkpoint_directory;
  std::optional<Checkpoint> latest;
  int64_t last_seq = 0;  // of the reports taken before this context began
};

struct MetricsReport {
  std::string group;
  int64_t steps = 0;
  Metrics metrics;
};
struct CheckpointReport {
  std::string uuid;
  int64_t steps = 0;
  std::map<std::string, int64_t> files;  // path below the folder: bytes
  std::string metadata_json;
};
struct ProgressReport {
  double fraction = 0;
};
struct InvalidHparamsReport {};
struct StopReport {};
using ReportBody =
    std::variant<MetricsReport, CheckpointReport, ProgressReport, InvalidHparamsReport, StopReport>;

// As trial.proto has it, on one line. Throws Error for text that is not UTF-8, and for metadata
// that is no JSON object.
std::string ReportJson(int64_t seq, const ReportBody& body);

// Safe to call from any thread. Every method may throw Error.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual const RunInfo& info() const = 0;
  // Returns when the report is taken for good.
  virtual void Report(const ReportBody& body) = 0;
  virtual bool ShouldPreempt() = 0;
  virtual void AckPreemption() = 0;
};

}  // namespace det::harness
