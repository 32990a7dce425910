#pragma once

#include "cli/app/command.h"

// Every verb of `det`, each made by a file of its own. A new verb is a file with such a function, a
// line here and a line in commands.cc.
namespace det::cli {

CommandSet AllCommands();
std::vector<Elsewhere> AllElsewhere();

Command UpCommand();
Command DownCommand();
Command StatusCommand();
Command VersionCommand();
Command CompletionCommand();
Command DoctorCommand();
Command TopCommand();
Command DiffCommand();
Command LoginCommand();
Command LogoutCommand();
Command WhoAmICommand();
Command ContextListCommand();
Command ContextShowCommand();
Command ContextUseCommand();
Command ContextAddCommand();
Command ContextRemoveCommand();
Command WhyCommand();
Command PlanCommand();
Command PreviewSearchCommand();

Command ExperimentCreateCommand();
Command ExperimentListCommand();
Command ExperimentDescribeCommand();
Command ExperimentConfigCommand();
Command ExperimentLogsCommand();
Command ExperimentWatchCommand();
Command ExperimentWaitCommand();
Command ExperimentPauseCommand();
Command ExperimentActivateCommand();
Command ExperimentCancelCommand();
Command ExperimentKillCommand();
std::vector<Command> ExperimentSetCommands();
Command ExperimentForkCommand();
Command ExperimentContinueCommand();
Command ExperimentDeleteCommand();
Command ExperimentGcPolicyCommand();

Command ExperimentArchiveCommand();
Command ExperimentUnarchiveCommand();
Command ExperimentLabelAddCommand();
Command ExperimentLabelRemoveCommand();
Command ExperimentLabelListCommand();
Command ExperimentSetNameCommand();
Command ExperimentSetDescriptionCommand();
Command ExperimentSetNotesCommand();
Command ExperimentMoveCommand();
Command ExperimentDownloadCodeCommand();
Command ExperimentDownloadCommand();

Command UserListCommand();
Command UserCreateCommand();
Command UserActivateCommand();
Command UserDeactivateCommand();
Command UserRenameCommand();
Command UserEditCommand();

Command TokenCreateCommand();
Command TokenListCommand();
Command TokenRevokeCommand();
Command TokenDescribeCommand();

Command WorkspaceListCommand();
Command WorkspaceCreateCommand();
Command WorkspaceDescribeCommand();
Command WorkspaceRenameCommand();
Command WorkspaceArchiveCommand();
Command WorkspaceUnarchiveCommand();
Command WorkspaceDeleteCommand();
Command WorkspaceRoleAddCommand();
Command WorkspaceRoleRemoveCommand();
Command WorkspaceEditCommand();
Command WorkspaceListMembersCommand();

Command ProjectListCommand();
Command ProjectCreateCommand();
Command ProjectDescribeCommand();
Command ProjectRenameCommand();
Command ProjectMoveCommand();
Command ProjectArchiveCommand();
Command ProjectUnarchiveCommand();
Command ProjectDeleteCommand();
Command ProjectEditCommand();
Command ProjectListExperimentsCommand();

Command TemplateListCommand();
Command TemplateCreateCommand();
Command TemplateSetCommand();
Command TemplateDescribeCommand();
Command TemplateRenameCommand();
Command TemplateDeleteCommand();

Command TrialListCommand();
Command TrialDescribeCommand();
Command TrialLogsCommand();
Command TrialMetricsCommand();
Command TrialKillCommand();
Command TrialDownloadCommand();
Command TrialListCheckpointsCommand();
Command MetricsCommand();

Command CheckpointListCommand();
Command CheckpointDescribeCommand();
Command CheckpointDownloadCommand();
Command CheckpointRmCommand();

Command AgentListCommand();
Command AgentDescribeCommand();
Command SlotListCommand();
Command JobListCommand();
Command JobUpdateCommand();
Command JobUpdateBatchCommand();

Command ConfigExplainCommand();

}  // namespace det::cli
