#include "cli/client/client.h"
#include "cli/cmd/bulk.h"
#include "cli/cmd/commands.h"

namespace det::cli {

Command ExperimentCancelCommand() {
  return BulkCommand({.verb = "cancel",
                      .aliases = {},
                      .summary = "Cancel experiments: trials may save before they end.",
                      .examples = {{"det e cancel 7", "stop in good order"},
                                   {"det e cancel 7 8", "several at once"}},
                      .call = &Client::CancelExperiment});
}

}  // namespace det::cli
