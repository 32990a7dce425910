#pragma once

#include <vector>

#include "cli/client/api_fwd.h"
#include "cli/format/report.h"

// People and places as tables.
namespace det::cli {

Table UserTable(const std::vector<api::User>& users);
Table TokenTable(const std::vector<api::Token>& tokens);
Table WorkspaceTable(const std::vector<api::Workspace>& workspaces);
Table RoleTable(const std::vector<api::RoleGrant>& roles);
Table ProjectTable(const std::vector<api::Project>& projects);
Table TemplateTable(const std::vector<api::Template>& templates);

// One workspace and who may what in it.
Report WorkspaceReport(const api::GetWorkspaceResponse& response);
Report ProjectReport(const api::Project& project);
// A template as it was written.
Report TemplateReport(const api::Template& made);

}  // namespace det::cli
