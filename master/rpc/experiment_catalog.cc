#include "master/rpc/experiment_catalog.h"

#include "common/base/status.h"
#include "common/base/strings.h"
#include "master/catalog/names.h"
#include "master/rpc/call.h"
#include "master/rpc/convert.h"

namespace det::rpc {
namespace {

namespace pb = det::api::v1;

constexpr int kEditedMax = 1000;  // experiments in one call

absl::StatusOr<catalog::ExperimentEdit> EditOf(const pb::EditExperimentsRequest& request) {
  using Edit = pb::EditExperimentsRequest;
  switch (request.edit_case()) {
    case Edit::kArchived:
      return catalog::SetArchived{request.archived()};
    case Edit::kName:
      return catalog::SetName{request.name()};
    case Edit::kDescription:
      return catalog::SetDescription{request.description()};
    case Edit::kNotes:
      return catalog::SetNotes{request.notes()};
    case Edit::kLabels:
      return catalog::ChangeLabels{
          {request.labels().add().begin(), request.labels().add().end()},
          {request.labels().remove().begin(), request.labels().remove().end()}};
    case Edit::kMoveTo:
      return catalog::MoveTo{{request.move_to().workspace(), request.move_to().project()}};
    default:
      return Error(absl::StatusCode::kInvalidArgument, "NO_EDIT", "no edit was named");
  }
}

// What is being continued or deleted is not archived or moved meanwhile.
absl::Status EditOne(const Deps& deps,
                     const core::Principal& by,
                     ExperimentId id,
                     const catalog::ExperimentEdit& edit) {
  const auto held = deps.ended_locks.TryLock(id);
  if (!held.has_value()) return ended::Busy(id);
  return deps.catalog.EditExperiment(by, id, edit);
}

}  // namespace

absl::Status CheckTexts(spec::ExperimentSpec* spec) {
  DET_ASSIGN_OR_RETURN(spec->name,
                       catalog::CheckText({"name", catalog::kExperimentNameBytesMax}, spec->name));
  DET_ASSIGN_OR_RETURN(
      spec->description,
      catalog::CheckText({"description", catalog::kDescriptionBytesMax, true}, spec->description));
  DET_ASSIGN_OR_RETURN(spec->labels, catalog::CheckLabels(spec->labels));
  return absl::OkStatus();
}

absl::StatusOr<catalog::Placement> PlaceOf(const Deps& deps,
                                           const core::Principal& by,
                                           const pb::CreateExperimentRequest& request,
                                           const spec::ExperimentSpec& spec) {
  const bool named = !request.workspace().empty() || !request.project().empty();
  return deps.catalog.Place(by,
                            named ? catalog::ProjectName{request.workspace(), request.project()}
                                  : catalog::ProjectName{spec.workspace, spec.project});
}

absl::StatusOr<core::CodeVersion> CodeOf(const pb::CreateExperimentRequest& request) {
  const pb::CodeVersion& code = request.code();
  DET_ASSIGN_OR_RETURN(std::string commit,
                       catalog::CheckText({"git commit", 64}, code.git_commit()));
  DET_ASSIGN_OR_RETURN(std::string branch,
                       catalog::CheckText({"git branch", 1024}, code.git_branch()));
  return core::CodeVersion{std::move(commit), std::move(branch), code.git_dirty()};
}

absl::StatusOr<store::ReadStore::ExperimentScope> ScopeOf(
    const Deps& deps, const core::Principal& by, const pb::ListExperimentsRequest& request) {
  store::ReadStore::ExperimentScope scope{
      .owner = request.only_mine() ? by.name : "",
      .archived = request.archived(),
      .workspaces = VisibleTo(by),
      .labels = {request.labels().begin(), request.labels().end()}};
  if (!request.project().empty()) {
    DET_ASSIGN_OR_RETURN(const auto project,
                         deps.catalog.Project(by, {request.workspace(), request.project()}));
    scope.project = project.id;
  } else if (!request.workspace().empty()) {
    DET_ASSIGN_OR_RETURN(const auto workspace, deps.catalog.Workspace(by, request.workspace()));
    scope.workspaces = {workspace.id};
  }
  return scope;
}

absl::Status EditEach(const Deps& deps,
                      const core::Principal& by,
                      const pb::EditExperimentsRequest& request,
                      pb::EditExperimentsResponse* response) {
  if (request.ids_size() > kEditedMax) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "TOO_MANY",
                 StrCat(request.ids_size(), " experiments in one call, at most ", kEditedMax));
  }
  DET_ASSIGN_OR_RETURN(const catalog::ExperimentEdit edit, EditOf(request));
  for (const int64_t number : request.ids()) {
    const ExperimentId id(number);
    pb::EditExperimentsResponse::Result* result = response->add_results();
    result->set_id(number);
    absl::Status status = EditOne(deps, by, id, edit);
    if (status.ok()) {
      const absl::StatusOr<store::ExperimentRow> row = deps.store.Experiment(id);
      if (row.ok()) *result->mutable_experiment() = ToProto(*row);
      status = row.status();
    }
    result->set_code(static_cast<int32_t>(status.code()));
    result->set_message(std::string(FromAbsl(status.message())));
    result->set_reason(ErrorReason(status));
    result->set_hint(ErrorHint(status));
  }
  return absl::OkStatus();
}

}  // namespace det::rpc
