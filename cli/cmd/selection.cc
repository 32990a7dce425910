#include "cli/cmd/selection.h"

#include <utility>

#include "cli/app/context.h"
#include "cli/base/cause.h"
#include "cli/client/pages.h"
#include "cli/cmd/ids.h"
#include "cli/view/experiment_view.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"

namespace det::cli {
namespace {

constexpr int64_t kFoundMax = 100'000;

absl::StatusOr<std::vector<api::Experiment>> Find(Client* client,
                                                  const Selection& selection,
                                                  const Selecting& what) {
  api::ListExperimentsRequest request;
  request.set_filter(selection.filter);
  request.set_archived(what.archived);
  const auto next = [&](int32_t most,
                        std::vector<api::Experiment>* experiments) -> absl::StatusOr<bool> {
    request.set_limit(most);
    DET_ASSIGN_OR_RETURN(const api::ListExperimentsResponse page, client->ListExperiments(request));
    Append(page.experiments(), experiments);
    request.set_page(page.next_page());
    return !page.next_page().empty();
  };
  DET_ASSIGN_OR_RETURN(auto pages, FetchPages<api::Experiment>(kFoundMax, next));
  if (pages.items.empty()) {
    return Error(absl::StatusCode::kNotFound,
                 "NOTHING_FOUND",
                 StrCat("no experiment matches ", QuoteJson(selection.filter)),
                 "det e list --filter shows what there is");
  }
  return std::move(pages.items);
}

std::vector<api::Experiment> Named(Context& context,
                                   Client* client,
                                   const std::vector<int64_t>& ids) {
  std::vector<api::Experiment> found;
  for (const int64_t id : ids) {
    const absl::StatusOr<api::GetExperimentResponse> response = client->GetExperiment(id);
    if (response.ok()) {
      found.push_back(response->experiment());
    } else {
      context.PrintError(response.status());
    }
  }
  return found;
}

absl::Status Preview(Context& context,
                     const std::vector<api::Experiment>& found,
                     const Selecting& what) {
  DET_RETURN_IF_ERROR(context.Show({ToDocumentList(found), ExperimentTable(found), {}}));
  return UsageError(StrCat("nothing was done: det e ",
                           what.verb,
                           " of these ",
                           found.size(),
                           found.size() == 1 ? " experiment" : " experiments",
                           what.needs_yes ? " can't be undone" : ""),
                    "repeat it with --yes");
}

}  // namespace

Param FilterParam(Selection* selection) {
  return Option("--filter",
                "EXPR",
                &selection->filter,
                "in place of IDs: those that match, shown first; see det e list --help");
}

Param YesParam(Selection* selection) {
  return Flag("-y,--yes", &selection->yes, "do it without showing it first");
}

absl::StatusOr<std::string> TakeValue(const std::string& name,
                                      const std::string& first,
                                      const std::string& value,
                                      Selection* selection) {
  if (selection->filter.empty()) {
    if (value == kUnset)
      return UsageError(StrCat(name, " is missing"), "--help shows what there is");
    selection->ids = SplitIds(first);
    return value;
  }
  if (value == kUnset) return first;
  return UsageError("IDs and --filter exclude each other",
                    StrCat("with --filter name ", name, " alone"));
}

absl::StatusOr<std::vector<int64_t>> Select(Context& context,
                                            const Selection& selection,
                                            const Selecting& what) {
  if (selection.ids.empty() == selection.filter.empty()) {
    return UsageError(
        selection.ids.empty() ? "name the experiments" : "IDs and --filter exclude each other",
        "7 8 9, or --filter 'state = ACTIVE'");
  }
  DET_ASSIGN_OR_RETURN(std::vector<int64_t> ids, ParseIds(selection.ids, 'e', "experiment"));
  const bool shown = (what.needs_yes || !selection.filter.empty()) && !selection.yes;
  if (!shown && selection.filter.empty()) return ids;
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  std::vector<api::Experiment> found;
  if (selection.filter.empty()) {
    found = Named(context, client, ids);
  } else {
    DET_ASSIGN_OR_RETURN(found, Find(client, selection, what));
  }
  if (shown) return Preview(context, found, what);
  for (const api::Experiment& experiment : found) ids.push_back(experiment.id());
  return ids;
}

}  // namespace det::cli
