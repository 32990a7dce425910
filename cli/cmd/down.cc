#include "cli/cluster/down.h"

#include <memory>

#include "cli/app/context.h"
#include "cli/cmd/commands.h"
#include "cli/format/quantity.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

std::string Sentences(const DownResult& r) {
  std::vector<std::string> stopped;
  if (r.agent) stopped.emplace_back("det-agent");
  if (r.tasks > 0) stopped.push_back(Count(r.tasks, "task"));
  if (r.master) stopped.emplace_back("det-master");
  if (stopped.empty()) return StrCat("Nothing was running in ", r.data_dir, ".\n");
  std::string text = StrCat("Stopped ", StrJoin(stopped, ", "), ".\n");
  if (r.tasks > 0) {
    StrAppend(text, "Their trials go on from their last checkpoints at the next det up.\n");
  }
  return text;
}

absl::StatusOr<ExitCode> Run(Context& context, const std::string& data_dir) {
  DET_ASSIGN_OR_RETURN(const DownResult result, Down(context, data_dir));
  Report report;
  report.document.Add("data_dir", result.data_dir)
      .Add("master_stopped", result.master)
      .Add("agent_stopped", result.agent)
      .Add("tasks_ended", result.tasks);
  report.table = {.columns = {{"data_dir"},
                              {"master_stopped"},
                              {"agent_stopped"},
                              {"tasks_ended", Align::kRight}},
                  .rows = {{result.data_dir,
                            std::string(result.master ? "true" : "false"),
                            std::string(result.agent ? "true" : "false"),
                            int64_t{result.tasks}}},
                  .key = "data_dir"};
  report.sections.push_back({"", Sentences(result)});
  DET_RETURN_IF_ERROR(context.Show(std::move(report)));
  return ExitCode::kOk;
}

}  // namespace

Command DownCommand() {
  const auto data_dir = std::make_shared<std::string>();
  return {.verb = "down",
          .summary = "Stop the cluster on this machine.",
          .details =
              "Ends its agent, the tasks that run, the master and its database. Nothing is lost: "
              "after the next det up, searches go on, trials from their last checkpoints.",
          .params = {Option(
              "--data-dir", "DIR", data_dir.get(), "the cluster's; else that of the last det up")},
          .examples = {{"det down", "stop what det up has started"}},
          .run = [data_dir](Context& context) { return Run(context, *data_dir); }};
}

}  // namespace det::cli
