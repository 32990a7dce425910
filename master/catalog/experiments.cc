#include <algorithm>

#include "common/base/overload.h"
#include "common/pg/pg.h"
#include "master/catalog/change.h"
#include "master/core/verbs.h"

// What people edit of an experiment, beside what the core decides on. The journal writes these
// columns once, with the row.
namespace det::catalog {

using core::Verb;
using internal::Audit;
using internal::Tx;

namespace {

// The row, locked: edits of one experiment come one after the other.
struct Edited {
  ExperimentId id;
  core::Object object;
  ProjectId project;
  core::ExperimentState state = core::ExperimentState::kActive;
  std::string because;  // of its state
  bool ended = false;
  bool archived = false;
};

absl::StatusOr<Edited> LockExperiment(Tx& tx, const core::Principal& by, ExperimentId id) {
  const pqxx::result rows = tx.exec_params(
      "SELECT owner, workspace_id, project_id, state, reason_text, ended_at IS NOT NULL, archived "
      "FROM experiments WHERE id = $1 FOR NO KEY UPDATE",
      id.value());
  if (rows.empty() || !core::Sees(by, WorkspaceId(rows[0][1].as<int64_t>()))) {
    return Error(absl::StatusCode::kNotFound,
                 "EXPERIMENT_NOT_FOUND",
                 StrCat("experiment ", id.value(), " does not exist"),
                 "det experiment list shows all");
  }
  const auto name = rows[0][3].as<std::string>();
  const std::optional<core::ExperimentState> state = core::ExperimentStateOf(name);
  if (!state.has_value()) {
    return Error(absl::StatusCode::kDataLoss,
                 "BAD_STATE",
                 StrCat("experiment ", id.value(), " is in the unknown state ", name));
  }
  return Edited{id,
                {.owner = rows[0][0].as<std::string>(),
                 .workspace = WorkspaceId(rows[0][1].as<int64_t>()),
                 .what = StrCat("experiment ", id.value())},
                ProjectId(rows[0][2].as<int64_t>()),
                *state,
                rows[0][4].as<std::string>(),
                rows[0][5].as<bool>(),
                rows[0][6].as<bool>()};
}

core::ExperimentVerb VerbOf(const ExperimentEdit& edit) {
  const auto* archived = std::get_if<SetArchived>(&edit);
  if (archived == nullptr) return core::ExperimentVerb::kEdit;
  return archived->archived ? core::ExperimentVerb::kArchive : core::ExperimentVerb::kUnarchive;
}

// Makes one edit of a locked row; true when it changed something.
class Editor {
 public:
  Editor(Tx& tx, const core::Principal& by, const Edited& row) : tx_(tx), by_(by), row_(row) {}

  absl::Status operator()(const SetArchived& edit) const {
    return Set("archived", edit.archived ? "true" : "false");
  }
  absl::Status operator()(const SetName& edit) const { return Set("name", edit.name); }
  absl::Status operator()(const SetDescription& edit) const {
    return Set("description", edit.description);
  }
  absl::Status operator()(const SetNotes& edit) const { return Set("notes", edit.notes); }

  absl::Status operator()(const ChangeLabels& edit) const {
    std::vector<std::string> labels;
    for (const auto& row :
         tx_.exec_params("SELECT unnest(labels) FROM experiments WHERE id = $1", row_.id.value()))
      labels.push_back(row[0].as<std::string>());
    std::erase_if(labels, [&](const std::string& label) {
      return std::find(edit.remove.begin(), edit.remove.end(), label) != edit.remove.end();
    });
    labels.insert(labels.end(), edit.add.begin(), edit.add.end());
    std::sort(labels.begin(), labels.end());
    labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
    if (labels.size() > kLabelsMax) {
      return Error(absl::StatusCode::kResourceExhausted,
                   "TOO_MANY",
                   StrCat("experiment ",
                          row_.id.value(),
                          " would have ",
                          labels.size(),
                          " labels, at most ",
                          kLabelsMax,
                          " are allowed"),
                   "det experiment label remove takes some away");
    }
    return Set("labels", pg::ArrayOf(labels));
  }

  absl::Status operator()(const MoveTo& edit) const {
    // Before the row itself is locked: see EditExperiment.
    DET_ASSIGN_OR_RETURN(const internal::ProjectRef to, internal::FindProject(tx_, by_, edit.to));
    if (to.id == row_.project) return absl::OkStatus();
    DET_RETURN_IF_ERROR(
        core::Authorize(by_, Verb::kCreate, {.workspace = to.workspace.id, .what = "experiments"}));
    DET_RETURN_IF_ERROR(internal::CheckNotArchived(to.workspace));
    if (to.archived) {
      return Error(absl::StatusCode::kFailedPrecondition,
                   "ARCHIVED",
                   StrCat("project ", QuoteJson(to.FullName()), " is archived"),
                   "det project unarchive takes it back");
    }
    if (row_.archived) {
      return Error(absl::StatusCode::kFailedPrecondition,
                   "EXPERIMENT_ARCHIVED",
                   StrCat("experiment ", row_.id.value(), " is archived: it is not moved"),
                   StrCat("det experiment unarchive ", row_.id.value(), " takes it back"));
    }
    // Who takes it away from those who administrate its workspace might as well delete it.
    if (to.workspace.id != row_.object.workspace)
      DET_RETURN_IF_ERROR(core::Authorize(by_, Verb::kDelete, row_.object));
    // The core has a live experiment's workspace in its own state.
    if (!row_.ended && to.workspace.id != row_.object.workspace) {
      return Error(absl::StatusCode::kFailedPrecondition,
                   "EXPERIMENT_LIVE",
                   StrCat("experiment ",
                          row_.id.value(),
                          " is ",
                          core::Name(row_.state),
                          ": it leaves its workspace only after its end"),
                   StrCat("wait for its end, or end it: det experiment kill ", row_.id.value()));
    }
    tx_.exec_params("UPDATE experiments SET project_id = $2, workspace_id = $3 WHERE id = $1",
                    row_.id.value(),
                    to.id.value(),
                    to.workspace.id.value());
    Note("move", StrCat("project ", row_.project.value()), StrCat("project ", to.id.value()));
    return absl::OkStatus();
  }

 private:
  absl::Status Set(const std::string& column, const std::string& value) const {
    const pqxx::result was = tx_.exec_params(
        StrCat("SELECT ", column, "::text FROM experiments WHERE id = $1"), row_.id.value());
    const pqxx::result now = tx_.exec_params(StrCat("UPDATE experiments SET ",
                                                    column,
                                                    " = $2 WHERE id = $1 AND ",
                                                    column,
                                                    " IS DISTINCT FROM $2 RETURNING ",
                                                    column,
                                                    "::text"),
                                             row_.id.value(),
                                             value);
    if (!now.empty()) Note(column, was[0][0].as<std::string>(), now[0][0].as<std::string>());
    return absl::OkStatus();
  }

  void Note(const std::string& what, const std::string& before, const std::string& after) const {
    Audit(tx_,
          by_,
          {StrCat("experiment.", what), StrCat("experiment ", row_.id.value()), before, after});
  }

  Tx& tx_;
  const core::Principal& by_;
  const Edited& row_;
};

absl::StatusOr<ExperimentEdit> Checked(const ExperimentEdit& edit) {
  using Result = absl::StatusOr<ExperimentEdit>;
  const auto text = [](const TextRule& rule, const std::string& value, auto make) -> Result {
    DET_ASSIGN_OR_RETURN(std::string checked, CheckText(rule, value));
    return make(std::move(checked));
  };
  return std::visit(
      overloaded{
          [&](const SetName& e) -> Result {
            return text({"name", kExperimentNameBytesMax}, e.name, [](std::string name) -> Result {
              if (!name.empty()) return SetName{std::move(name)};
              return Error(absl::StatusCode::kInvalidArgument, "INVALID_TEXT", "the name is empty");
            });
          },
          [&](const SetDescription& e) -> Result {
            return text({"description", kDescriptionBytesMax, true},
                        e.description,
                        [](std::string t) { return SetDescription{std::move(t)}; });
          },
          [&](const SetNotes& e) -> Result {
            return text({"notes", kNotesBytesMax, true}, e.notes, [](std::string t) {
              return SetNotes{std::move(t)};
            });
          },
          [&](const ChangeLabels& e) -> Result {
            ChangeLabels checked;
            DET_ASSIGN_OR_RETURN(checked.add, CheckLabels(e.add));
            DET_ASSIGN_OR_RETURN(checked.remove, CheckLabels(e.remove));
            return checked;
          },
          [&](const auto& other) -> Result { return other; },
      },
      edit);
}

}  // namespace

absl::Status Catalog::EditExperiment(const core::Principal& by,
                                     ExperimentId id,
                                     const ExperimentEdit& edit) {
  DET_ASSIGN_OR_RETURN(const ExperimentEdit checked, Checked(edit));
  return Write(false, [&](Tx& tx) -> absl::Status {
    // Projects are locked before experiments, in every transaction.
    if (const auto* move = std::get_if<MoveTo>(&checked))
      DET_RETURN_IF_ERROR(internal::FindProject(tx, by, move->to).status());
    DET_ASSIGN_OR_RETURN(const Edited row, LockExperiment(tx, by, id));
    DET_RETURN_IF_ERROR(core::Authorize(by, Verb::kControl, row.object));
    const core::ExperimentVerb verb = VerbOf(checked);
    switch (core::kExperimentVerbTable(verb, row.state).answer) {
      case core::Answer::kNoOp:
        return absl::OkStatus();
      case core::Answer::kAllowed:
        return std::visit(Editor(tx, by, row), checked);
      default:
        return core::Refusal(verb, row.state, row.object.what, row.because);
    }
  });
}

}  // namespace det::catalog
