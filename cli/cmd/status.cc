#include "common/base/status.h"

#include "cli/app/context.h"
#include "cli/app/version.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/view/cluster_view.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

absl::StatusOr<ExitCode> Run(Context& context) {
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const api::GetClusterResponse cluster, client->GetCluster());
  DET_RETURN_IF_ERROR(context.Show(ClusterReport(cluster, client->connection().address)));
  if (!cluster.version().empty() && cluster.version() != Version()) {
    context.Warn(
        StrCat("the master's version is ", cluster.version(), ", this command's ", Version()));
  }
  return ExitCode::kOk;
}

}  // namespace

Command StatusCommand() {
  return {.verb = "status",
          .summary = "Show the cluster: its master, agents and slots.",
          .examples = {{"det status", "is the cluster there, and is there room?"},
                       {"det status -o json", "the same for scripts"}},
          .run = Run};
}

}  // namespace det::cli
