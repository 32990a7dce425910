#include <algorithm>
#include <memory>

#include "cli/app/context.h"
#include "cli/app/interrupt.h"
#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/format/quantity.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"
#include "common/json/json.h"
#include "common/os/pause.h"
#include "common/storage/paths.h"

namespace det::cli {
namespace {

constexpr absl::Duration kLookEvery = absl::Milliseconds(200);

struct Options {
  std::vector<std::string> uuids;
  std::vector<std::string> globs;
  bool yes = false;
  bool no_wait = false;
};

absl::StatusOr<api::DeleteCheckpointsRequest> MakeRequest(const Options& options) {
  api::DeleteCheckpointsRequest request;
  for (const std::string& text : options.uuids) {
    DET_ASSIGN_OR_RETURN(*request.add_uuids(), ParseCheckpoint(text));
  }
  for (const std::string& glob : options.globs) request.add_globs(glob);
  return request;
}

// Files of a checkpoint that are to go, and how large they are together.
struct Matches {
  std::vector<std::pair<std::string, int64_t>> files;
  int64_t bytes = 0;
};

absl::StatusOr<Matches> FindMatches(Client* client,
                                    const api::Checkpoint& checkpoint,
                                    const std::vector<std::string>& globs) {
  const std::string name = StrCat(checkpoint.trial(), "/", checkpoint.uuid());
  DET_ASSIGN_OR_RETURN(const api::GetCheckpointResponse got, client->GetCheckpoint(name));
  Matches matches;
  const absl::StatusOr<Value> files = ParseJson(got.checkpoint().files_json());
  if (!files.ok() || !files->is_object()) return matches;
  for (const auto& [path, size] : files->as_object()) {
    const bool taken = std::any_of(globs.begin(), globs.end(), [&path = path](const auto& glob) {
      return storage::MatchesGlob(glob, path);
    });
    if (!taken) continue;
    matches.files.emplace_back(path, size.is_int() ? size.as_int() : 0);
    matches.bytes += matches.files.back().second;
  }
  return matches;
}

absl::Status NothingMatches(const Options& options) {
  return Error(absl::StatusCode::kNotFound,
               "NO_FILE_MATCHES",
               StrCat("nothing matches ", StrJoin(options.globs, ", "), ": nothing is deleted"),
               "det c describe UUID lists the files of a checkpoint");
}

// What a deletion would take.
class Plan {
 public:
  absl::Status Make(Client* client,
                    const api::DeleteCheckpointsResponse& response,
                    const Options& options) {
    for (const api::Checkpoint& checkpoint : response.checkpoints()) {
      if (options.globs.empty()) {
        AddWhole(checkpoint);
        continue;
      }
      DET_ASSIGN_OR_RETURN(const Matches matches, FindMatches(client, checkpoint, options.globs));
      Add(checkpoint, matches);
    }
    return absl::OkStatus();
  }

  // Whether there is anything that would go.
  bool empty() const { return table_.rows.empty(); }
  Report Take() {
    text_ += "nothing is deleted yet: say --yes\n";
    return {std::move(documents_), std::move(table_), {{"", std::move(text_)}}};
  }

 private:
  void AddWhole(const api::Checkpoint& checkpoint) {
    StrAppend(
        text_, "would delete ", NameOf(checkpoint), ", ", BytesText(checkpoint.bytes()), "\n");
    AddRow(checkpoint, checkpoint.bytes());
    documents_.push_back(ToDocument(checkpoint));
  }

  void Add(const api::Checkpoint& checkpoint, const Matches& matches) {
    if (matches.files.empty()) {
      StrAppend(text_, "nothing matches in ", NameOf(checkpoint), "\n");
      return;
    }
    StrAppend(text_,
              "would delete ",
              Count(static_cast<int64_t>(matches.files.size()), "file"),
              " of ",
              NameOf(checkpoint),
              ", ",
              BytesText(matches.bytes),
              ":\n");
    Document::List files;
    for (const auto& [path, bytes] : matches.files) {
      StrAppend(text_, "  ", path, "  ", BytesText(bytes), "\n");
      files.emplace_back(path);
    }
    AddRow(checkpoint, matches.bytes);
    Document document = ToDocument(checkpoint);
    document.Add("matching_files", std::move(files)).Add("matching_bytes", matches.bytes);
    documents_.push_back(std::move(document));
  }

  static std::string NameOf(const api::Checkpoint& checkpoint) {
    return StrCat(checkpoint.uuid(), " (trial ", checkpoint.trial(), ")");
  }
  void AddRow(const api::Checkpoint& checkpoint, int64_t bytes) {
    table_.rows.push_back({checkpoint.uuid(), int64_t{checkpoint.trial()}, Bytes{bytes}});
  }

  std::string text_;
  Document::List documents_;
  Table table_{.columns = {{"uuid"}, {"trial"}, {"bytes"}}, .key = "uuid"};
};

// What would go; NOT_FOUND where patterns match nothing.
absl::StatusOr<Plan> MakePlan(Client* client,
                              api::DeleteCheckpointsRequest request,
                              const Options& options) {
  request.set_validate_only(true);
  DET_ASSIGN_OR_RETURN(const api::DeleteCheckpointsResponse response,
                       client->DeleteCheckpoints(request));
  Plan plan;
  DET_RETURN_IF_ERROR(plan.Make(client, response, options));
  if (plan.empty() && !options.globs.empty()) return NothingMatches(options);
  return plan;
}

bool IsOpen(const api::Deletion& deletion) {
  return deletion.state() == "PENDING" || deletion.state() == "RUNNING";
}

// Until none of them is open, or the user has seen enough.
absl::StatusOr<std::vector<api::Deletion>> Await(Client* client,
                                                 std::vector<api::Deletion> deletions) {
  const InterruptGuard guard([] {});
  while (!guard.interrupted() && std::any_of(deletions.begin(), deletions.end(), IsOpen)) {
    PauseFor(kLookEvery);
    api::ListDeletionsRequest request;
    for (const api::Deletion& one : deletions) request.add_ids(one.id());
    DET_ASSIGN_OR_RETURN(const api::ListDeletionsResponse response, client->ListDeletions(request));
    deletions.assign(response.deletions().begin(), response.deletions().end());
  }
  return deletions;
}

Report DeletionReport(const std::vector<api::Deletion>& deletions) {
  std::string text;
  Table table{.columns = {{"uuid"}, {"trial"}, {"state"}, {"reason"}}, .key = "uuid"};
  for (const api::Deletion& one : deletions) {
    StrAppend(text, "checkpoint ", one.uuid(), ": ", one.state());
    if (!one.reason().empty()) StrAppend(text, ": ", one.reason());
    text += '\n';
    table.rows.push_back({one.uuid(), int64_t{one.trial()}, StateName{one.state()}, one.reason()});
  }
  return {ToDocumentList(deletions), std::move(table), {{"", std::move(text)}}};
}

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  DET_ASSIGN_OR_RETURN(const api::DeleteCheckpointsRequest request, MakeRequest(options));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  if (!options.yes || !options.globs.empty()) {
    DET_ASSIGN_OR_RETURN(Plan plan, MakePlan(client, request, options));
    if (!options.yes) {
      DET_RETURN_IF_ERROR(context.Show(plan.Take()));
      return ExitCode::kOk;
    }
  }
  DET_ASSIGN_OR_RETURN(const api::DeleteCheckpointsResponse response,
                       client->DeleteCheckpoints(request));
  std::vector<api::Deletion> deletions(response.deletions().begin(), response.deletions().end());
  if (!options.no_wait) {
    DET_ASSIGN_OR_RETURN(deletions, Await(client, std::move(deletions)));
  }
  DET_RETURN_IF_ERROR(context.Show(DeletionReport(deletions)));
  const auto failed =
      std::count_if(deletions.begin(), deletions.end(), [](const api::Deletion& one) {
        return one.state() == "FAILED";
      });
  if (failed == 0) return ExitCode::kOk;
  return failed == static_cast<std::ptrdiff_t>(deletions.size()) ? ExitCode::kFailure
                                                                 : ExitCode::kPartial;
}

}  // namespace

Command CheckpointRmCommand() {
  auto options = std::make_shared<Options>();
  return {.noun = "checkpoint",
          .verb = "rm",
          .aliases = {"delete"},
          .summary = "Delete checkpoints, or some of their files.",
          .details =
              "Without --yes it only says what would go. The master deletes the files and this "
              "waits for it; Ctrl-C stops the waiting, not the deleting. What a live trial would "
              "go on from, or a live experiment begins from, is refused.",
          .params = {Required("UUID",
                              &options->uuids,
                              "the checkpoints: see det c list; TRIAL/UUID where several trials "
                              "have one of that name"),
                     Option("--glob",
                            "PATTERN",
                            &options->globs,
                            "only files that match: 'optimizer*', 'logs/*.txt', '**/*.tmp'"),
                     Flag("-y,--yes", &options->yes, "do it"),
                     Flag("--no-wait", &options->no_wait, "don't wait for the files to go")},
          .examples = {{"det c rm UUID --yes", "delete one whole"},
                       {"det c rm UUID --glob 'optimizer*' --yes", "keep the weights alone"}},
          .run = [options](Context& context) { return Run(context, *options); }};
}

}  // namespace det::cli
