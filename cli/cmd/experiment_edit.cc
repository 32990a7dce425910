#include <memory>

#include "cli/app/context.h"
#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "cli/cmd/bulk.h"
#include "cli/cmd/catalog_verbs.h"
#include "cli/cmd/ids.h"
#include "cli/cmd/selection.h"

// What the scheduler does not look at: archive, labels, names, places.
namespace det::cli {
namespace {

constexpr size_t kEditedMax = 1000;  // in one call

// What went wrong with one of them, as if it had been a call of its own.
absl::Status StatusOf(const api::EditExperimentsResponse::Result& result) {
  if (result.code() == 0) return absl::OkStatus();
  return Error(static_cast<absl::StatusCode>(result.code()),
               result.reason(),
               result.message(),
               result.hint());
}

Outcome OutcomeOf(Context& context,
                  const api::EditExperimentsResponse::Result& result,
                  const std::string& done) {
  const absl::Status status = StatusOf(result);
  if (status.ok()) return {result.id(), result.experiment(), done};
  context.PrintError(status);
  return {result.id(), status};
}

absl::StatusOr<ExitCode> Edit(Context& context,
                              const std::vector<int64_t>& ids,
                              api::EditExperimentsRequest request,
                              const std::string& done) {
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  std::vector<Outcome> outcomes;
  for (size_t first = 0; first < ids.size(); first += kEditedMax) {
    request.clear_ids();
    for (size_t i = first; i < std::min(first + kEditedMax, ids.size()); ++i)
      request.add_ids(ids[i]);
    DET_ASSIGN_OR_RETURN(
        const auto response,
        client->Ask<api::EditExperimentsResponse>("ExperimentService/EditExperiments", request));
    for (const auto& result : response.results())
      outcomes.push_back(OutcomeOf(context, result, done));
  }
  return ShowOutcomes(context, outcomes, ids.size());
}

Command ArchiveCommand(bool archived) {
  auto selection = std::make_shared<Selection>();
  const std::string verb = archived ? "archive" : "unarchive";
  return {
      .noun = "experiment",
      .verb = verb,
      .summary = archived ? "Hide experiments that have ended from lists."
                          : "Take archived experiments back.",
      .params = {Optional("ID", &selection->ids, "the experiments: 7 or e7"),
                 FilterParam(selection.get()),
                 YesParam(selection.get())},
      .examples = {{StrCat("det e ", verb, " 7 8 9"),
                    archived ? "det e ls --archived still shows them" : "they are listed again"}},
      .run = [selection, verb, archived](Context& context) -> absl::StatusOr<ExitCode> {
        DET_ASSIGN_OR_RETURN(const auto ids,
                             Select(context, *selection, {.verb = verb, .archived = !archived}));
        api::EditExperimentsRequest request;
        request.set_archived(archived);
        return Edit(context, ids, request, archived ? "archived" : "back");
      }};
}

struct LabelWords {
  std::vector<std::string> words;  // the ids, unless a filter names them, and the labels
  Selection selection;
};

absl::StatusOr<ExitCode> Label(Context& context, LabelWords words, bool add) {
  std::vector<std::string>& labels = words.words;
  if (words.selection.filter.empty() && !labels.empty()) {
    words.selection.ids = SplitIds(labels.front());
    labels.erase(labels.begin());
  }
  if (labels.empty()) return UsageError("name the labels");
  const std::string verb = add ? "label add" : "label remove";
  DET_ASSIGN_OR_RETURN(const auto ids, Select(context, words.selection, {.verb = verb}));
  api::EditExperimentsRequest request;
  auto* change = request.mutable_labels();
  for (const std::string& label : labels) add ? change->add_add(label) : change->add_remove(label);
  return Edit(context, ids, request, add ? "labelled" : "label removed");
}

Command LabelCommand(bool add) {
  auto words = std::make_shared<LabelWords>();
  return {
      .noun = "experiment",
      .verb = add ? "label add" : "label remove",
      .aliases = add ? std::vector<std::string>{} : std::vector<std::string>{"label rm"},
      .summary = add ? "Give experiments labels." : "Take labels away from experiments.",
      .params = {Required("WORD", &words->words, "the experiments (7 or 7,8,9), then the labels"),
                 FilterParam(&words->selection),
                 YesParam(&words->selection)},
      .examples = {{add ? "det e label add 7,8 baseline 'run 2'" : "det e label remove 7 baseline",
                    add ? "det e ls --label baseline finds them" : "no baseline after all"}},
      .run = [words, add](Context& context) { return Label(context, *words, add); }};
}

struct TextWords {
  std::string ids;  // with a filter, the text
  std::string text = kUnset;
  Selection selection;
};

using SetText = void (*)(api::EditExperimentsRequest*, const std::string&);

Command TextCommand(const std::string& what, const std::string& example, SetText set) {
  auto words = std::make_shared<TextWords>();
  return {
      .noun = "experiment",
      .verb = StrCat("set ", what),
      .summary = StrCat("Set the ", what, " of experiments."),
      .params = {Required("ID", &words->ids, "the experiment, or several: 7,8,9"),
                 Optional("TEXT", &words->text, StrCat("the ", what)),
                 FilterParam(&words->selection),
                 YesParam(&words->selection)},
      .examples = {{StrCat("det e set ", what, " 7 '", example, "'"), "det e describe 7 shows it"}},
      .run = [words, what, set](Context& context) -> absl::StatusOr<ExitCode> {
        DET_ASSIGN_OR_RETURN(const std::string text,
                             TakeValue("TEXT", words->ids, words->text, &words->selection));
        DET_ASSIGN_OR_RETURN(const auto numbers,
                             Select(context, words->selection, {.verb = StrCat("set ", what)}));
        api::EditExperimentsRequest request;
        set(&request, text);
        return Edit(context, numbers, request, StrCat(what, " set"));
      }};
}

bool IsNumber(const std::string& word) {
  return !word.empty() && word.find_first_not_of("0123456789") == std::string::npos;
}

absl::StatusOr<ExitCode> Move(Context& context, Selection selection) {
  std::vector<std::string>& words = selection.ids;
  const size_t ids = selection.filter.empty() ? 1 : 0;
  if (words.size() < ids + 1)
    return UsageError("name the experiments and the project: 7 8 vision/digits");
  ProjectWords place{words.back(), ""};
  // Determined names the project by its id, or in two words.
  const bool by_id =
      IsNumber(words.back()) && (words.size() == ids + 1 || IsNumber(words[words.size() - 2]));
  if (by_id) {
    DET_ASSIGN_OR_RETURN(place, ProjectById(context, words.back()));
  } else if (words.size() > ids + 1 && words.back().find('/') == std::string::npos) {
    place = {words[words.size() - 2], words.back()};
    words.pop_back();
  }
  words.pop_back();
  DET_ASSIGN_OR_RETURN(const ProjectWords to, Understand(place));
  DET_ASSIGN_OR_RETURN(const auto numbers, Select(context, selection, {.verb = "move"}));
  api::EditExperimentsRequest request;
  request.mutable_move_to()->set_workspace(to.workspace);
  request.mutable_move_to()->set_project(to.project);
  return Edit(context, numbers, request, StrCat("moved to ", to.workspace, "/", to.project));
}

}  // namespace

Command ExperimentArchiveCommand() {
  return ArchiveCommand(true);
}
Command ExperimentUnarchiveCommand() {
  return ArchiveCommand(false);
}
Command ExperimentLabelAddCommand() {
  return LabelCommand(true);
}
Command ExperimentLabelRemoveCommand() {
  return LabelCommand(false);
}

Command ExperimentLabelListCommand() {
  auto id = std::make_shared<std::string>();
  return {.noun = "experiment",
          .verb = "label list",
          .aliases = {"label ls"},
          .summary = "List the labels of an experiment.",
          .params = {Required("ID", id.get(), "the experiment: 7 or e7")},
          .examples = {{"det e label list 7", "one a line"}},
          .run = [id](Context& context) -> absl::StatusOr<ExitCode> {
            DET_ASSIGN_OR_RETURN(const int64_t number, ParseId(*id, 'e', "experiment"));
            DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
            DET_ASSIGN_OR_RETURN(const api::GetExperimentResponse response,
                                 client->GetExperiment(number));
            Document::List list;
            Table table{.columns = {{"label"}}, .key = "label"};
            for (const std::string& label : response.experiment().labels()) {
              list.emplace_back(label);
              table.rows.push_back({label});
            }
            DET_RETURN_IF_ERROR(context.Show({std::move(list), std::move(table), {}}));
            return ExitCode::kOk;
          }};
}

Command ExperimentSetNameCommand() {
  return TextCommand("name", "digits, wide", [](auto* request, const std::string& text) {
    request->set_name(text);
  });
}
Command ExperimentSetDescriptionCommand() {
  return TextCommand("description", "twice the width", [](auto* request, const std::string& text) {
    request->set_description(text);
  });
}
Command ExperimentSetNotesCommand() {
  return TextCommand("notes", "lr of 0.1 is too high", [](auto* request, const std::string& text) {
    request->set_notes(text);
  });
}

Command ExperimentMoveCommand() {
  auto selection = std::make_shared<Selection>();
  return {.noun = "experiment",
          .verb = "move",
          .aliases = {"mv"},
          .summary = "Move experiments to another project.",
          .details = "One that has not ended stays in its workspace.",
          .params = {Required("ID", &selection->ids, "the experiments, then WORKSPACE/PROJECT"),
                     FilterParam(selection.get()),
                     YesParam(selection.get())},
          .examples = {{"det e move 7 8 vision/digits", "into the project digits of vision"}},
          .run = [selection](Context& context) { return Move(context, *selection); }};
}

}  // namespace det::cli
