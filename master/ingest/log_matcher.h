#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "common/base/mutex.h"
#include "master/core/command.h"
#include "master/ingest/shipment.h"
#include "master/spec/experiment_spec.h"

namespace det::ingest {

// Finds the lines of logs that the log policies of their experiments speak of. Patterns are RE2's,
// compiled once for all that share them; each line is looked at once, by all of them together. A
// line that came in pieces is looked at piece by piece. Any thread.
class LogMatcher {
 public:
  // The policies of the trial's experiment. Called once a trial, without the matcher's lock.
  using Load = std::function<absl::StatusOr<std::vector<spec::LogPolicySpec>>(TrialId)>;
  explicit LogMatcher(Load load);
  ~LogMatcher();

  // What the core must hear of the shipment's lines: of each policy the first, and nothing that it
  // was told already. An error is one of `load`.
  struct Found {
    std::vector<core::ReportLogMatch> matches;
    bool any_told = false;  // of the run, by this or an earlier shipment
  };
  absl::StatusOr<Found> Match(const Shipment& shipment);

  // The core did not hear of it: it is found again when its line comes again.
  void Forget(const core::ReportLogMatch& match);

 private:
  struct Compiled;
  // False when it was told already.
  bool Tell(AllocationId run, const std::string& policy);
  bool AnyTold(AllocationId run);
  absl::StatusOr<std::shared_ptr<const Compiled>> PoliciesOf(TrialId trial);
  std::shared_ptr<const Compiled> Compile(const std::vector<spec::LogPolicySpec>& policies);

  const Load load_;
  Mutex mutex_;
  std::map<TrialId, std::shared_ptr<const Compiled>> trials_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<const Compiled>> compiled_ ABSL_GUARDED_BY(mutex_);
  std::set<std::pair<AllocationId, std::string>> told_ ABSL_GUARDED_BY(mutex_);  // by policy
};

}  // namespace det::ingest
