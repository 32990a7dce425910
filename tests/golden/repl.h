#pragma once

#include <string>
#include <string_view>

#include "absl/time/time.h"

#include "master/core/decide.h"

namespace det::golden {

// Drives the core by lines of text and answers with the events they lead to: for scripts that show
// how the cluster decides.
//
//   scheduler POLICY [preemption]     of all pools: priority, fifo, fair_share; then any number of
//                                     USER=SLOTS, the quota of a user
//   user NAME                         who submits and controls from here on, at first ann
//   agent NAME SLOTS [POOL]           an agent connects; again: it comes back holding what it held
//   agent NAME SLOTS holds ID...      it comes back holding exactly these allocations
//   leave NAME                        its connection ends
//   submit JSON                       keys of the configuration; the rest is filled in
//   pause|activate|cancel|kill ID     an experiment
//   run ALLOCATION                    the agent reports it running
//   exit ALLOCATION CODE [ordered]    it ends; "lost" as code: the agent has no trace of it
//   validate ALLOCATION STEPS VALUE   the next report: {"loss": VALUE}; "none": without the metric
//   checkpoint ALLOCATION STEPS
//   refuse ALLOCATION                 it refuses its hyperparameters
//   again                             the last report once more
//   wait SECONDS                      time passes
//   show | desired NAME | why KIND ID
class Repl {
 public:
  Repl();
  // Without a newline at the end; "" for comments and blank lines.
  std::string Run(std::string_view line);

 private:
  std::string Execute(const std::vector<std::string>& words, std::string_view line);
  std::string Send(const core::Command& command);
  std::string Settle(std::string text);
  std::string ApplyAll(core::Events events);
  std::string Report(core::CommandBody body, AllocationId id);
  std::string Agent(const std::vector<std::string>& words);
  std::string Availability(const std::vector<std::string>& words);
  std::string Submit(std::string_view json);
  std::string Scheduler(const std::vector<std::string>& words);
  std::string Validate(const std::vector<std::string>& words);
  std::string Exit(const std::vector<std::string>& words);
  std::string Show() const;
  std::string Desired(const std::string& agent) const;
  std::string Why(const std::vector<std::string>& words) const;

  core::State state_;
  absl::Time now_;
  std::string user_ = "ann";
  std::map<AllocationId, int64_t> seqs_;
  std::optional<core::Command> last_report_;
};

}  // namespace det::golden
