#include "cli/client/client.h"
#include "cli/cmd/bulk.h"
#include "cli/cmd/commands.h"

namespace det::cli {

Command ExperimentPauseCommand() {
  return BulkCommand({.verb = "pause",
                      .aliases = {},
                      .summary = "Pause experiments: trials save, leave their slots and wait.",
                      .examples = {{"det e pause 7", "make room for others"},
                                   {"det e pause 7 8 9", "several at once"}},
                      .call = &Client::PauseExperiment});
}

}  // namespace det::cli
