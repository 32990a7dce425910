#include <memory>

#include "cli/app/context.h"
#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "cli/client/pages.h"
#include "cli/cmd/checkpoint_fetch.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/format/quantity.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"

// The best checkpoints of an experiment or a trial, brought here.
namespace det::cli {
namespace {

constexpr char kDirectory[] = "checkpoints";

struct Options {
  std::string id;
  std::optional<int64_t> top;
  std::string directory = kDirectory;
  std::string uuid;
  bool best = false;
  bool latest = false;
};

using Checkpoints = std::vector<api::Checkpoint>;

absl::StatusOr<Checkpoints> List(Client* client,
                                 api::ListCheckpointsRequest request,
                                 int64_t count) {
  request.add_states("COMPLETED");
  const auto next = [&](int32_t most, Checkpoints* checkpoints) -> absl::StatusOr<bool> {
    request.set_limit(most);
    DET_ASSIGN_OR_RETURN(const api::ListCheckpointsResponse page, client->ListCheckpoints(request));
    Append(page.checkpoints(), checkpoints);
    request.set_page(page.next_page());
    return !page.next_page().empty();
  };
  DET_ASSIGN_OR_RETURN(auto pages, FetchPages<api::Checkpoint>(count, next));
  if (!pages.items.empty()) return std::move(pages.items);
  const bool trial = request.trial() != 0;
  return Error(absl::StatusCode::kNotFound,
               "NO_CHECKPOINT",
               StrCat(trial ? "trial " : "experiment ",
                      trial ? request.trial() : request.experiment(),
                      " has no checkpoint that is whole"),
               "det checkpoint list shows what was saved");
}

// Brings them to DIRECTORY/UUID, one after another.
absl::StatusOr<ExitCode> Fetch(Context& context,
                               Client* client,
                               const Checkpoints& wanted,
                               const std::string& directory) {
  Document::List list;
  Table table{.columns = {{"uuid"}, {"trial"}, {"metric"}, {"path"}, {"files"}, {"bytes"}},
              .key = "path"};
  std::string text;
  for (const api::Checkpoint& one : wanted) {
    DET_ASSIGN_OR_RETURN(const api::GetCheckpointResponse response,
                         client->GetCheckpoint(StrCat(one.trial(), "/", one.uuid())));
    const api::Checkpoint& checkpoint = response.checkpoint();
    // A name from outside must not lead anywhere else.
    const std::string& uuid = checkpoint.uuid();
    if (uuid.empty() || uuid.find('/') != std::string::npos || uuid.starts_with('.'))
      return absl::InternalError("the master named a checkpoint by a path");
    const std::string path = StrCat(directory, "/", uuid);
    const absl::StatusOr<CopiedTree> copied = FetchCheckpoint(context, checkpoint, path);
    if (absl::IsCancelled(copied.status())) return ExitCode::kInterrupted;
    DET_RETURN_IF_ERROR(copied.status());
    list.push_back(Document()
                       .Add("checkpoint", ToDocument(checkpoint))
                       .Add("path", path)
                       .Add("files", copied->files)
                       .Add("bytes", copied->bytes));
    table.rows.push_back({uuid,
                          int64_t{checkpoint.trial()},
                          NumberCell(one.has_metric(), one.metric()),
                          path,
                          copied->files,
                          Bytes{copied->bytes}});
    StrAppend(text, path, ": ", Count(copied->files, "file"), ", ", BytesText(copied->bytes), "\n");
  }
  DET_RETURN_IF_ERROR(context.Show({std::move(list), std::move(table), {{"", std::move(text)}}}));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> OfExperiment(Context& context, const Options& options) {
  DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(options.id, 'e', "experiment"));
  const int64_t top = options.top.value_or(1);
  DET_RETURN_IF_ERROR(CheckPositive("--top-n", top));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  api::ListCheckpointsRequest request;
  request.set_experiment(id);  // the best come first
  DET_ASSIGN_OR_RETURN(const Checkpoints found, List(client, std::move(request), top));
  return Fetch(context, client, found, options.directory);
}

// By the searcher's metric, in the direction that its experiment gives it.
absl::StatusOr<std::string> BestFirst(Client* client, int64_t trial) {
  DET_ASSIGN_OR_RETURN(const api::GetTrialResponse response, client->GetTrial(trial));
  DET_ASSIGN_OR_RETURN(const api::GetExperimentResponse experiment,
                       client->GetExperiment(response.trial().experiment()));
  return std::string(experiment.experiment().smaller_is_better() ? "metric" : "-metric");
}

absl::StatusOr<ExitCode> OfTrial(Context& context, const Options& options) {
  DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(options.id, 't', "trial"));
  if ((options.best ? 1 : 0) + (options.latest ? 1 : 0) + (options.uuid.empty() ? 0 : 1) > 1)
    return UsageError("--best, --latest and --uuid exclude each other");
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  if (!options.uuid.empty()) {
    api::Checkpoint named;
    named.set_trial(id);
    named.set_uuid(options.uuid);
    return Fetch(context, client, {named}, options.directory);
  }
  api::ListCheckpointsRequest request;
  request.set_trial(id);  // the newest come first
  if (!options.latest) {
    DET_ASSIGN_OR_RETURN(*request.add_sort(), BestFirst(client, id));
  }
  DET_ASSIGN_OR_RETURN(const Checkpoints found, List(client, std::move(request), 1));
  return Fetch(context, client, found, options.directory);
}

Param DirectoryParam(Options* options) {
  return Option("-o,--output-dir",
                "DIR",
                &options->directory,
                StrCat("where to: DIR/UUID must not exist yet (./", kDirectory, ")"));
}

constexpr char kPlace[] =
    "A checkpoint's directory must be visible from this machine; from a bucket it is fetched with "
    "the S3 credentials of this machine.";

}  // namespace

Command ExperimentDownloadCommand() {
  auto options = std::make_shared<Options>();
  constexpr char kSort[] =
      "the searcher's metric decides; det checkpoint list ID --sort FIELD -o name gives others to "
      "det checkpoint download";
  return {.noun = "experiment",
          .verb = "download",
          .summary = "Copy an experiment's best checkpoints to a directory of yours.",
          .details = StrCat("The best are those by the searcher's metric. ",
                            kPlace,
                            " The model directory is det e download-code's."),
          .params = {Required("ID", &options->id, "the experiment: 7 or e7"),
                     Option("--top-n", "N", &options->top, "so many of the best (1)"),
                     DirectoryParam(options.get()),
                     NoOption("--sort-by", kSort),
                     NoOption("--smaller-is-better", kSort)},
          .examples = {{"det e download 7 --top-n 3 -o best", "the three best of experiment 7"}},
          .run = [options](Context& context) { return OfExperiment(context, *options); }};
}

Command TrialDownloadCommand() {
  auto options = std::make_shared<Options>();
  return {.noun = "trial",
          .verb = "download",
          .summary = "Copy a trial's best or latest checkpoint to a directory of yours.",
          .details = kPlace,
          .params = {Required("ID", &options->id, "the trial: 17 or t17"),
                     Flag("--best", &options->best, "by the searcher's metric: the default"),
                     Flag("--latest", &options->latest, "the newest"),
                     Option("--uuid", "UUID", &options->uuid, "this one"),
                     DirectoryParam(options.get())},
          .examples = {{"det t download 17 --latest", "where trial 17 has come to"}},
          .run = [options](Context& context) { return OfTrial(context, *options); }};
}

}  // namespace det::cli
