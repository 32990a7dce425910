#include "cli/client/client.h"
#include "cli/cmd/bulk.h"
#include "cli/cmd/commands.h"

namespace det::cli {

Command ExperimentDeleteCommand() {
  return BulkCommand({.verb = "delete",
                      .aliases = {},
                      .summary = "Delete ended experiments: their checkpoints, metrics and logs.",
                      .examples = {{"det e delete 7", "what would be deleted?"},
                                   {"det e delete 7 8 --yes", "delete both, for good"}},
                      .call = &Client::DeleteExperiment,
                      .needs_yes = true});
}

}  // namespace det::cli
