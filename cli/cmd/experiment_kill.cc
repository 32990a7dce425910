#include "cli/client/client.h"
#include "cli/cmd/bulk.h"
#include "cli/cmd/commands.h"

namespace det::cli {

Command ExperimentKillCommand() {
  return BulkCommand(
      {.verb = "kill",
       .aliases = {},
       .summary = "Kill experiments: trials end at once and save nothing.",
       .examples = {{"det e kill 7", "stop now"}, {"det e kill 7 8", "several at once"}},
       .call = &Client::KillExperiment});
}

}  // namespace det::cli
