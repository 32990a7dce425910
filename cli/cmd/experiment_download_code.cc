#include <filesystem>
#include <memory>

#include "cli/app/context.h"
#include "cli/app/progress_line.h"
#include "cli/base/cause.h"
#include "cli/base/files.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/format/quantity.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/digest/sha256.h"
#include "common/tar/unpack.h"

namespace det::cli {
namespace {

namespace fs = std::filesystem;

struct Words {
  std::string id;
  std::string directory;
};

absl::Status CheckFree(const std::string& directory) {
  std::error_code error;
  if (!fs::exists(directory, error)) return absl::OkStatus();
  if (fs::is_directory(directory, error) && fs::is_empty(directory, error)) return absl::OkStatus();
  return Error(absl::StatusCode::kAlreadyExists,
               "DIRECTORY_IN_USE",
               StrCat(directory, " is there and not empty"),
               "name another directory: nothing is written over");
}

// Reads the archive into a temporary file, and checks that it is the one.
absl::StatusOr<Fd> Fetch(Context& context, Client* client, int64_t id) {
  DET_ASSIGN_OR_RETURN(Fd file, OpenTemporary());
  const auto stream = client->DownloadContext(id);
  api::DownloadContextResponse message;
  Sha256 hash;
  std::string sha256;
  std::optional<ProgressLine> progress;
  int64_t got = 0;
  while (stream->Read(&message)) {
    if (!progress.has_value()) {
      sha256 = message.sha256();
      progress.emplace(context, "downloading", message.bytes());
    }
    hash.Update(message.data());
    got += static_cast<int64_t>(message.data().size());
    progress->Show(got);
    DET_RETURN_IF_ERROR(WriteFull(file, "a temporary file", message.data()));
  }
  DET_RETURN_IF_ERROR(stream->Finish());
  if (hash.Finish() == sha256) return file;
  return Error(absl::StatusCode::kDataLoss,
               "WRONG_SHA256",
               StrCat("the model directory of experiment ", id, " came damaged"),
               "try again");
}

absl::StatusOr<ExitCode> Run(Context& context, const Words& words) {
  DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(words.id, 'e', "experiment"));
  const std::string directory =
      words.directory.empty() ? StrCat("experiment-", id) : words.directory;
  DET_RETURN_IF_ERROR(CheckFree(directory));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const Fd archive, Fetch(context, client, id));
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return FileError("make the directory", directory, error.value());
  DET_RETURN_IF_ERROR(UnpackTar(StrCat("/proc/self/fd/", archive.get()), directory));
  Document document;
  document.Add("experiment", id).Add("directory", directory);
  DET_RETURN_IF_ERROR(context.Show(
      {std::move(document),
       {.columns = {{"directory"}}, .rows = {{directory}}, .key = "directory"},
       {{"", StrCat("the model directory of experiment ", id, " is in ", directory, "\n")}}}));
  return ExitCode::kOk;
}

}  // namespace

Command ExperimentDownloadCodeCommand() {
  auto words = std::make_shared<Words>();
  return {.noun = "experiment",
          .verb = "download-code",
          .aliases = {"download-model-def"},
          .summary = "Fetch the model directory that an experiment was made with.",
          .params = {Required("ID", &words->id, "the experiment: 7 or e7"),
                     Optional("DIR", &words->directory, "where to: new or empty (experiment-ID)")},
          .examples = {{"det e download-code 7 old/", "what did 7 run?"}},
          .run = [words](Context& context) { return Run(context, *words); }};
}

}  // namespace det::cli
