#include "cli/client/client.h"
#include "cli/cmd/bulk.h"
#include "cli/cmd/commands.h"

namespace det::cli {

Command ExperimentActivateCommand() {
  return BulkCommand({.verb = "activate",
                      .aliases = {"unpause"},
                      .summary = "Let paused experiments go on.",
                      .examples = {{"det e activate 7", "go on with experiment 7"},
                                   {"det e unpause 7 8", "as Determined calls it"}},
                      .call = &Client::ActivateExperiment});
}

}  // namespace det::cli
