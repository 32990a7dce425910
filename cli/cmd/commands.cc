#include "cli/cmd/commands.h"

#include <utility>

#include "cli/cmd/availability.h"

namespace det::cli {
namespace {

// A verb that stands under a noun as well, where migrants look for it.
Command Under(std::string noun,
              std::string verb,
              Command command,
              std::vector<std::string> aliases = {}) {
  command.summary = "As det " + command.FullName() + ". " + command.summary;
  command.noun = std::move(noun);
  command.verb = std::move(verb);
  command.aliases = std::move(aliases);
  return command;
}

// Who there is, and where things belong.
std::vector<Command> CatalogCommands() {
  return {WorkspaceListCommand(),
          WorkspaceCreateCommand(),
          WorkspaceDescribeCommand(),
          WorkspaceRenameCommand(),
          WorkspaceArchiveCommand(),
          WorkspaceUnarchiveCommand(),
          WorkspaceDeleteCommand(),
          WorkspaceEditCommand(),
          WorkspaceListMembersCommand(),
          Under("workspace", "list-projects", ProjectListCommand()),
          WorkspaceRoleAddCommand(),
          WorkspaceRoleRemoveCommand(),
          ProjectListCommand(),
          ProjectCreateCommand(),
          ProjectDescribeCommand(),
          ProjectRenameCommand(),
          ProjectMoveCommand(),
          ProjectArchiveCommand(),
          ProjectUnarchiveCommand(),
          ProjectDeleteCommand(),
          ProjectEditCommand(),
          ProjectListExperimentsCommand(),
          TemplateListCommand(),
          TemplateCreateCommand(),
          TemplateSetCommand(),
          TemplateDescribeCommand(),
          TemplateRenameCommand(),
          TemplateDeleteCommand(),
          UserListCommand(),
          UserCreateCommand(),
          UserActivateCommand(),
          UserDeactivateCommand(),
          UserRenameCommand(),
          UserEditCommand(),
          Under("user", "whoami", WhoAmICommand()),
          Under("user", "login", LoginCommand()),
          Under("user", "logout", LogoutCommand()),
          TokenCreateCommand(),
          TokenListCommand(),
          TokenDescribeCommand(),
          TokenRevokeCommand()};
}

// All but those.
std::vector<Command> WorkCommands() {
  return {UpCommand(),
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
          ExperimentForkCommand(),
          ExperimentContinueCommand(),
          ExperimentDeleteCommand(),
          ExperimentGcPolicyCommand(),
          ExperimentArchiveCommand(),
          ExperimentUnarchiveCommand(),
          ExperimentLabelAddCommand(),
          ExperimentLabelRemoveCommand(),
          ExperimentLabelListCommand(),
          ExperimentSetNameCommand(),
          ExperimentSetDescriptionCommand(),
          ExperimentSetNotesCommand(),
          ExperimentMoveCommand(),
          ExperimentDownloadCommand(),
          ExperimentDownloadCodeCommand(),
          Under("experiment", "list-trials", TrialListCommand(), {"lt"}),
          Under("experiment", "list-checkpoints", CheckpointListCommand(), {"lc"}),
          Under("experiment", "set gc-policy", ExperimentGcPolicyCommand())};
}

// Of trials and what they run on.
std::vector<Command> TrialCommands() {
  return {TrialListCommand(),
          TrialDescribeCommand(),
          TrialLogsCommand(),
          TrialMetricsCommand(),
          TrialKillCommand(),
          TrialDownloadCommand(),
          TrialListCheckpointsCommand(),
          CheckpointListCommand(),
          CheckpointDescribeCommand(),
          CheckpointDownloadCommand(),
          CheckpointRmCommand(),
          AgentListCommand(),
          AgentDescribeCommand(),
          DisableCommand("agent"),
          EnableCommand("agent"),
          SlotListCommand(),
          DisableCommand("slot"),
          EnableCommand("slot"),
          JobListCommand(),
          JobUpdateCommand(),
          JobUpdateBatchCommand(),
          ConfigExplainCommand(),
          ContextListCommand(),
          ContextShowCommand(),
          ContextUseCommand(),
          ContextAddCommand(),
          ContextRemoveCommand()};
}

}  // namespace

// In the order in which the help shows them.
CommandSet AllCommands() {
  std::vector<Command> commands = WorkCommands();
  for (Command& command : TrialCommands()) commands.push_back(std::move(command));
  for (Command& command : ExperimentSetCommands()) commands.push_back(std::move(command));
  for (Command& command : CatalogCommands()) commands.push_back(std::move(command));
  return {
      .nouns = {{"experiment", {"e"}, "Searches: create, watch and stop them."},
                {"trial", {"t"}, "Single trainings of an experiment."},
                {"checkpoint", {"c"}, "What trials have saved."},
                {"agent", {"a"}, "The machines that trials run on."},
                {"slot", {"s"}, "The GPUs and CPU shares of the agents."},
                {"job", {"j"}, "The queue."},
                {"workspace", {"w"}, "Where projects are, and who may what in them."},
                {"project", {"p"}, "What experiments are sorted into."},
                {"template", {"tpl"}, "Parts of configurations that many use."},
                {"user", {"u"}, "Who there is."},
                {"token", {}, "What people and programs log in with."},
                {"config", {}, "What configurations of experiments may say."},
                {"context", {"ctx"}, "The clusters that you work with."}},
      .commands = std::move(commands),
      .elsewhere = AllElsewhere(),
  };
}

}  // namespace det::cli
