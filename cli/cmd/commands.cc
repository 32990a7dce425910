#include "cli/cmd/commands.h"

#include <utility>

#include "cli/cmd/availability.h"

namespace det::cli {
namespace {

// What migrants from Determined type for `det trial list` and `det checkpoint list`.
Command UnderExperiment(Command command, std::string verb, std::string alias) {
  command.summary = "As det " + command.FullName() + ". " + command.summary;
  command.noun = "experiment";
  command.verb = std::move(verb);
  command.aliases = {std::move(alias)};
  return command;
}

}  // namespace

// In the order in which the help shows them.
CommandSet AllCommands() {
  return {
      .nouns = {{"experiment", {"e"}, "Searches: create, watch and stop them."},
                {"trial", {"t"}, "Single trainings of an experiment."},
                {"checkpoint", {"c"}, "What trials have saved."},
                {"agent", {"a"}, "The machines that trials run on."},
                {"slot", {"s"}, "The GPUs and CPU shares of the agents."},
                {"job", {"j"}, "The queue."},
                {"config", {}, "What configurations of experiments may say."},
                {"context", {"ctx"}, "The clusters that you work with."}},
      .commands = {UpCommand(),
                   DownCommand(),
                   StatusCommand(),
                   TopCommand(),
                   DoctorCommand(),
                   WhyCommand(),
                   MetricsCommand(),
                   PlanCommand(),
                   DiffCommand(),
                   PreviewSearchCommand(),
                   LoginCommand(),
                   LogoutCommand(),
                   WhoAmICommand(),
                   CompletionCommand(),
                   VersionCommand(),
                   ExperimentCreateCommand(),
                   ExperimentListCommand(),
                   ExperimentDescribeCommand(),
                   ExperimentConfigCommand(),
                   ExperimentLogsCommand(),
                   ExperimentWatchCommand(),
                   ExperimentWaitCommand(),
                   ExperimentPauseCommand(),
                   ExperimentActivateCommand(),
                   ExperimentCancelCommand(),
                   ExperimentKillCommand(),
                   ExperimentSetCommand(),
                   ExperimentForkCommand(),
                   ExperimentContinueCommand(),
                   ExperimentDeleteCommand(),
                   ExperimentGcPolicyCommand(),
                   UnderExperiment(TrialListCommand(), "list-trials", "lt"),
                   UnderExperiment(CheckpointListCommand(), "list-checkpoints", "lc"),
                   TrialListCommand(),
                   TrialDescribeCommand(),
                   TrialLogsCommand(),
                   TrialMetricsCommand(),
                   TrialKillCommand(),
                   CheckpointListCommand(),
                   CheckpointDescribeCommand(),
                   CheckpointDownloadCommand(),
                   CheckpointRmCommand(),
                   AgentListCommand(),
                   DisableCommand("agent"),
                   EnableCommand("agent"),
                   SlotListCommand(),
                   DisableCommand("slot"),
                   EnableCommand("slot"),
                   JobListCommand(),
                   ConfigExplainCommand(),
                   ContextListCommand(),
                   ContextShowCommand(),
                   ContextUseCommand(),
                   ContextAddCommand(),
                   ContextRemoveCommand()},
  };
}

}  // namespace det::cli
