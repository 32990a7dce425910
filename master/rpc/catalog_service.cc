#include "det/api/v1/catalog.grpc.pb.h"

#include "common/base/value.h"
#include "common/config/yaml.h"
#include "master/catalog/names.h"
#include "master/rpc/call.h"
#include "master/rpc/convert.h"
#include "master/rpc/convert_catalog.h"
#include "master/rpc/services.h"

// Each call in a function of its own; whether the caller may is the catalogue's to ask.
namespace det::rpc {
namespace {

namespace pb = det::api::v1;

template <class Request>
catalog::Page PageOf(const Request& request) {
  return {.limit = Limit(request.limit(), 100, 1000), .after = request.after_id()};
}

// There may be more behind a full page.
template <class Row>
bool IsFull(const std::vector<Row>& rows, const catalog::Page& page) {
  return static_cast<int64_t>(rows.size()) == page.limit;
}

template <class Request>
catalog::ProjectName NameOf(const Request& request) {
  return {request.workspace(), request.project()};
}

// "" is the first one where things are looked for; what is changed is named.
absl::Status CheckNamed(std::string_view what, const std::string& name) {
  return catalog::CheckName(what, name).status();
}

absl::StatusOr<core::Access> RoleNamed(const std::string& role) {
  for (const core::Access access :
       {core::Access::kViewer, core::Access::kEditor, core::Access::kAdministrator})
    if (core::Name(access) == role) return access;
  if (role == "none") return core::Access::kNone;
  return Error(absl::StatusCode::kInvalidArgument,
               "INVALID_ROLE",
               StrCat(QuoteJson(role.substr(0, 40)),
                      " is no role: there are viewer, editor and administrator"));
}

// A part of a configuration: a map, whose keys are checked when it is used.
absl::Status CheckTemplate(const pb::SetTemplateRequest& request) {
  const std::string name = request.config_name().empty() ? "template" : request.config_name();
  DET_ASSIGN_OR_RETURN(const YamlDocument document, ParseYaml(request.config(), name));
  const Value& config = document.value();
  if (!config.is_object()) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "INVALID_TEMPLATE",
                 StrCat(name, ": a template is a map of an experiment's configuration"));
  }
  const Value* below = config.Find("template");
  if (below != nullptr && below->is_string() &&
      catalog::Fold(below->as_string()) == catalog::Fold(request.name())) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "INVALID_TEMPLATE",
                 StrCat(name, ": template ", QuoteJson(request.name()), " stands on itself"),
                 "leave its key template out, or name another");
  }
  return absl::OkStatus();
}

absl::Status ListUsers(const Deps& deps,
                       const core::Principal& by,
                       const pb::ListUsersRequest& request,
                       pb::ListUsersResponse* response) {
  const catalog::Page page = PageOf(request);
  DET_ASSIGN_OR_RETURN(const auto rows, deps.catalog.Users(by, page));
  for (const auto& row : rows) *response->add_users() = ToProto(row);
  if (IsFull(rows, page)) response->set_next_after_id(rows.back().id);
  return absl::OkStatus();
}

absl::Status CreateUser(const Deps& deps,
                        const core::Principal& by,
                        const pb::CreateUserRequest& request,
                        pb::UserResponse* response) {
  DET_ASSIGN_OR_RETURN(const auto row,
                       deps.catalog.CreateUser(by,
                                               {.name = request.name(),
                                                .display_name = request.display_name(),
                                                .administrator = request.administrator()}));
  *response->mutable_user() = ToProto(row);
  return absl::OkStatus();
}

absl::Status ChangeUser(const Deps& deps,
                        const core::Principal& by,
                        const pb::ChangeUserRequest& request,
                        pb::UserResponse* response) {
  catalog::UserChange change;
  if (request.has_new_name()) change.name = request.new_name();
  if (request.has_display_name()) change.display_name = request.display_name();
  if (request.has_active()) change.active = request.active();
  if (request.has_administrator()) change.administrator = request.administrator();
  DET_ASSIGN_OR_RETURN(const auto row, deps.catalog.ChangeUser(by, request.name(), change));
  *response->mutable_user() = ToProto(row);
  return absl::OkStatus();
}

constexpr int64_t kTokenSecondsMax = int64_t{100} * 365 * 24 * 3600;

absl::Status CreateToken(const Deps& deps,
                         const core::Principal& by,
                         const pb::CreateTokenRequest& request,
                         pb::CreateTokenResponse* response) {
  const int64_t seconds = request.life_seconds();
  if (seconds > kTokenSecondsMax) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "INVALID_LIFE",
                 StrCat("a token ends within a hundred years, or never: ", seconds, " s is more"),
                 "-1 is for ever");
  }
  const absl::Duration life = seconds == 0    ? catalog::kTokenLife
                              : seconds == -1 ? absl::InfiniteDuration()
                                              : absl::Seconds(seconds);
  DET_ASSIGN_OR_RETURN(
      const auto made,
      deps.catalog.CreateToken(by, {.user = request.user(), .name = request.name(), .life = life}));
  *response->mutable_token() = ToProto(made.row);
  response->set_secret(made.token.Reveal());
  return absl::OkStatus();
}

absl::Status ListTokens(const Deps& deps,
                        const core::Principal& by,
                        const pb::ListTokensRequest& request,
                        pb::ListTokensResponse* response) {
  const catalog::Page page = PageOf(request);
  DET_ASSIGN_OR_RETURN(const auto rows, deps.catalog.Tokens(by, request.user(), page));
  for (const auto& row : rows) *response->add_tokens() = ToProto(row);
  if (IsFull(rows, page)) response->set_next_after_id(rows.back().id);
  return absl::OkStatus();
}

absl::Status RevokeToken(const Deps& deps,
                         const core::Principal& by,
                         const pb::RevokeTokenRequest& request,
                         pb::RevokeTokenResponse* /*response*/) {
  return deps.catalog.RevokeToken(by, request.id());
}

absl::Status ListWorkspaces(const Deps& deps,
                            const core::Principal& by,
                            const pb::ListWorkspacesRequest& request,
                            pb::ListWorkspacesResponse* response) {
  catalog::Page page = PageOf(request);
  page.archived = request.archived();
  DET_ASSIGN_OR_RETURN(const auto rows, deps.catalog.Workspaces(by, page));
  for (const auto& row : rows) *response->add_workspaces() = ToProto(row);
  if (IsFull(rows, page)) response->set_next_after_id(rows.back().id.value());
  return absl::OkStatus();
}

absl::Status GetWorkspace(const Deps& deps,
                          const core::Principal& by,
                          const pb::WorkspaceRequest& request,
                          pb::GetWorkspaceResponse* response) {
  DET_ASSIGN_OR_RETURN(const auto row, deps.catalog.Workspace(by, request.name()));
  DET_ASSIGN_OR_RETURN(const auto roles, deps.catalog.Roles(by, row.name));
  *response->mutable_workspace() = ToProto(row);
  for (const auto& role : roles) *response->add_roles() = ToProto(role);
  return absl::OkStatus();
}

absl::Status CreateWorkspace(const Deps& deps,
                             const core::Principal& by,
                             const pb::WorkspaceRequest& request,
                             pb::WorkspaceResponse* response) {
  DET_ASSIGN_OR_RETURN(const auto row, deps.catalog.CreateWorkspace(by, request.name()));
  *response->mutable_workspace() = ToProto(row);
  return absl::OkStatus();
}

absl::Status ChangeWorkspace(const Deps& deps,
                             const core::Principal& by,
                             const pb::ChangeWorkspaceRequest& request,
                             pb::WorkspaceResponse* response) {
  DET_RETURN_IF_ERROR(CheckNamed("workspace", request.name()));
  catalog::PlaceChange change;
  if (request.has_new_name()) change.name = request.new_name();
  if (request.has_archived()) change.archived = request.archived();
  DET_ASSIGN_OR_RETURN(const auto row, deps.catalog.ChangeWorkspace(by, request.name(), change));
  *response->mutable_workspace() = ToProto(row);
  return absl::OkStatus();
}

absl::Status DeleteWorkspace(const Deps& deps,
                             const core::Principal& by,
                             const pb::WorkspaceRequest& request,
                             pb::DeleteWorkspaceResponse* /*response*/) {
  DET_RETURN_IF_ERROR(CheckNamed("workspace", request.name()));
  return deps.catalog.DeleteWorkspace(by, request.name());
}

absl::Status SetRole(const Deps& deps,
                     const core::Principal& by,
                     const pb::SetRoleRequest& request,
                     pb::SetRoleResponse* /*response*/) {
  DET_ASSIGN_OR_RETURN(const core::Access role, RoleNamed(request.role()));
  return deps.catalog.SetRole(by, request.workspace(), request.user(), role);
}

absl::Status ListProjects(const Deps& deps,
                          const core::Principal& by,
                          const pb::ListProjectsRequest& request,
                          pb::ListProjectsResponse* response) {
  catalog::Page page = PageOf(request);
  page.archived = request.archived();
  DET_ASSIGN_OR_RETURN(const auto rows, deps.catalog.Projects(by, request.workspace(), page));
  for (const auto& row : rows) *response->add_projects() = ToProto(row);
  if (IsFull(rows, page)) response->set_next_after_id(rows.back().id.value());
  return absl::OkStatus();
}

absl::Status GetProject(const Deps& deps,
                        const core::Principal& by,
                        const pb::ProjectRequest& request,
                        pb::ProjectResponse* response) {
  DET_ASSIGN_OR_RETURN(const auto row, deps.catalog.Project(by, NameOf(request)));
  *response->mutable_project() = ToProto(row);
  return absl::OkStatus();
}

absl::Status CreateProject(const Deps& deps,
                           const core::Principal& by,
                           const pb::CreateProjectRequest& request,
                           pb::ProjectResponse* response) {
  DET_ASSIGN_OR_RETURN(const auto row,
                       deps.catalog.CreateProject(by, NameOf(request), request.description()));
  *response->mutable_project() = ToProto(row);
  return absl::OkStatus();
}

absl::Status ChangeProject(const Deps& deps,
                           const core::Principal& by,
                           const pb::ChangeProjectRequest& request,
                           pb::ProjectResponse* response) {
  DET_RETURN_IF_ERROR(CheckNamed("project", request.project()));
  catalog::PlaceChange change;
  if (request.has_new_name()) change.name = request.new_name();
  if (request.has_description()) change.description = request.description();
  if (request.has_archived()) change.archived = request.archived();
  DET_ASSIGN_OR_RETURN(const auto row, deps.catalog.ChangeProject(by, NameOf(request), change));
  *response->mutable_project() = ToProto(row);
  return absl::OkStatus();
}

absl::Status MoveProject(const Deps& deps,
                         const core::Principal& by,
                         const pb::MoveProjectRequest& request,
                         pb::ProjectResponse* response) {
  DET_RETURN_IF_ERROR(CheckNamed("project", request.project()));
  DET_RETURN_IF_ERROR(CheckNamed("workspace", request.to_workspace()));
  DET_ASSIGN_OR_RETURN(const auto row,
                       deps.catalog.MoveProject(by, NameOf(request), request.to_workspace()));
  *response->mutable_project() = ToProto(row);
  return absl::OkStatus();
}

absl::Status DeleteProject(const Deps& deps,
                           const core::Principal& by,
                           const pb::ProjectRequest& request,
                           pb::DeleteProjectResponse* /*response*/) {
  DET_RETURN_IF_ERROR(CheckNamed("project", request.project()));
  return deps.catalog.DeleteProject(by, NameOf(request));
}

absl::Status ListTemplates(const Deps& deps,
                           const core::Principal& by,
                           const pb::ListTemplatesRequest& request,
                           pb::ListTemplatesResponse* response) {
  const catalog::Page page = PageOf(request);
  DET_ASSIGN_OR_RETURN(const auto rows, deps.catalog.Templates(by, page));
  for (const auto& row : rows) *response->add_templates() = ToProto(row);
  if (IsFull(rows, page)) response->set_next_after_id(rows.back().id);
  return absl::OkStatus();
}

absl::Status GetTemplate(const Deps& deps,
                         const core::Principal& by,
                         const pb::TemplateRequest& request,
                         pb::TemplateResponse* response) {
  DET_ASSIGN_OR_RETURN(const auto row, deps.catalog.Template(by, request.name()));
  *response->mutable_template_() = ToProto(row);
  return absl::OkStatus();
}

absl::Status SetTemplate(const Deps& deps,
                         const core::Principal& by,
                         const pb::SetTemplateRequest& request,
                         pb::TemplateResponse* response) {
  DET_RETURN_IF_ERROR(CheckTemplate(request));
  DET_ASSIGN_OR_RETURN(const auto row,
                       deps.catalog.SetTemplate(by,
                                                {.name = request.name(),
                                                 .workspace = request.workspace(),
                                                 .config = request.config(),
                                                 .must_be_new = request.must_be_new()}));
  *response->mutable_template_() = ToProto(row);
  return absl::OkStatus();
}

absl::Status RenameTemplate(const Deps& deps,
                            const core::Principal& by,
                            const pb::RenameTemplateRequest& request,
                            pb::TemplateResponse* response) {
  DET_ASSIGN_OR_RETURN(const auto row,
                       deps.catalog.RenameTemplate(by, request.name(), request.new_name()));
  *response->mutable_template_() = ToProto(row);
  return absl::OkStatus();
}

absl::Status DeleteTemplate(const Deps& deps,
                            const core::Principal& by,
                            const pb::TemplateRequest& request,
                            pb::DeleteTemplateResponse* /*response*/) {
  return deps.catalog.DeleteTemplate(by, request.name());
}

class CatalogService final : public pb::CatalogService::CallbackService {
  using Context = grpc::CallbackServerContext;

 public:
  explicit CatalogService(const Deps& deps) : deps_(deps) {}

  grpc::ServerUnaryReactor* ListUsers(Context* context,
                                      const pb::ListUsersRequest* request,
                                      pb::ListUsersResponse* response) override {
    return Answer(Wire{context, request, response}, rpc::ListUsers);
  }
  grpc::ServerUnaryReactor* CreateUser(Context* context,
                                       const pb::CreateUserRequest* request,
                                       pb::UserResponse* response) override {
    return Answer(Wire{context, request, response}, rpc::CreateUser);
  }
  grpc::ServerUnaryReactor* ChangeUser(Context* context,
                                       const pb::ChangeUserRequest* request,
                                       pb::UserResponse* response) override {
    return Answer(Wire{context, request, response}, rpc::ChangeUser);
  }
  grpc::ServerUnaryReactor* CreateToken(Context* context,
                                        const pb::CreateTokenRequest* request,
                                        pb::CreateTokenResponse* response) override {
    return Answer(Wire{context, request, response}, rpc::CreateToken);
  }
  grpc::ServerUnaryReactor* ListTokens(Context* context,
                                       const pb::ListTokensRequest* request,
                                       pb::ListTokensResponse* response) override {
    return Answer(Wire{context, request, response}, rpc::ListTokens);
  }
  grpc::ServerUnaryReactor* RevokeToken(Context* context,
                                        const pb::RevokeTokenRequest* request,
                                        pb::RevokeTokenResponse* response) override {
    return Answer(Wire{context, request, response}, rpc::RevokeToken);
  }
  grpc::ServerUnaryReactor* ListWorkspaces(Context* context,
                                           const pb::ListWorkspacesRequest* request,
                                           pb::ListWorkspacesResponse* response) override {
    return Answer(Wire{context, request, response}, rpc::ListWorkspaces);
  }
  grpc::ServerUnaryReactor* GetWorkspace(Context* context,
                                         const pb::WorkspaceRequest* request,
                                         pb::GetWorkspaceResponse* response) override {
    return Answer(Wire{context, request, response}, rpc::GetWorkspace);
  }
  grpc::ServerUnaryReactor* CreateWorkspace(Context* context,
                                            const pb::WorkspaceRequest* request,
                                            pb::WorkspaceResponse* response) override {
    return Answer(Wire{context, request, response}, rpc::CreateWorkspace);
  }
  grpc::ServerUnaryReactor* ChangeWorkspace(Context* context,
                                            const pb::ChangeWorkspaceRequest* request,
                                            pb::WorkspaceResponse* response) override {
    return Answer(Wire{context, request, response}, rpc::ChangeWorkspace);
  }
  grpc::ServerUnaryReactor* DeleteWorkspace(Context* context,
                                            const pb::WorkspaceRequest* request,
                                            pb::DeleteWorkspaceResponse* response) override {
    return Answer(Wire{context, request, response}, rpc::DeleteWorkspace);
  }
  grpc::ServerUnaryReactor* SetRole(Context* context,
                                    const pb::SetRoleRequest* request,
                                    pb::SetRoleResponse* response) override {
    return Answer(Wire{context, request, response}, rpc::SetRole);
  }
  grpc::ServerUnaryReactor* ListProjects(Context* context,
                                         const pb::ListProjectsRequest* request,
                                         pb::ListProjectsResponse* response) override {
    return Answer(Wire{context, request, response}, rpc::ListProjects);
  }
  grpc::ServerUnaryReactor* GetProject(Context* context,
                                       const pb::ProjectRequest* request,
                                       pb::ProjectResponse* response) override {
    return Answer(Wire{context, request, response}, rpc::GetProject);
  }
  grpc::ServerUnaryReactor* CreateProject(Context* context,
                                          const pb::CreateProjectRequest* request,
                                          pb::ProjectResponse* response) override {
    return Answer(Wire{context, request, response}, rpc::CreateProject);
  }
  grpc::ServerUnaryReactor* ChangeProject(Context* context,
                                          const pb::ChangeProjectRequest* request,
                                          pb::ProjectResponse* response) override {
    return Answer(Wire{context, request, response}, rpc::ChangeProject);
  }
  grpc::ServerUnaryReactor* MoveProject(Context* context,
                                        const pb::MoveProjectRequest* request,
                                        pb::ProjectResponse* response) override {
    return Answer(Wire{context, request, response}, rpc::MoveProject);
  }
  grpc::ServerUnaryReactor* DeleteProject(Context* context,
                                          const pb::ProjectRequest* request,
                                          pb::DeleteProjectResponse* response) override {
    return Answer(Wire{context, request, response}, rpc::DeleteProject);
  }
  grpc::ServerUnaryReactor* ListTemplates(Context* context,
                                          const pb::ListTemplatesRequest* request,
                                          pb::ListTemplatesResponse* response) override {
    return Answer(Wire{context, request, response}, rpc::ListTemplates);
  }
  grpc::ServerUnaryReactor* GetTemplate(Context* context,
                                        const pb::TemplateRequest* request,
                                        pb::TemplateResponse* response) override {
    return Answer(Wire{context, request, response}, rpc::GetTemplate);
  }
  grpc::ServerUnaryReactor* SetTemplate(Context* context,
                                        const pb::SetTemplateRequest* request,
                                        pb::TemplateResponse* response) override {
    return Answer(Wire{context, request, response}, rpc::SetTemplate);
  }
  grpc::ServerUnaryReactor* RenameTemplate(Context* context,
                                           const pb::RenameTemplateRequest* request,
                                           pb::TemplateResponse* response) override {
    return Answer(Wire{context, request, response}, rpc::RenameTemplate);
  }
  grpc::ServerUnaryReactor* DeleteTemplate(Context* context,
                                           const pb::TemplateRequest* request,
                                           pb::DeleteTemplateResponse* response) override {
    return Answer(Wire{context, request, response}, rpc::DeleteTemplate);
  }

 private:
  template <class Request, class Response>
  grpc::ServerUnaryReactor* Answer(
      Wire<Request, Response> call,
      absl::Status (*answer)(const Deps&, const core::Principal&, const Request&, Response*)) {
    return Unary(deps_,
                 call.context,
                 call.request,
                 call.response,
                 [this, answer](const auto& by, const Request& request, Response* response) {
                   return answer(deps_, by, request, response);
                 });
  }

  const Deps& deps_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeCatalogService(const Deps& deps) {
  return std::make_unique<CatalogService>(deps);
}

}  // namespace det::rpc
