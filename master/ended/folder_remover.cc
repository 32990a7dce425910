#include "master/ended/folder_remover.h"

#include <filesystem>
#include <system_error>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"

namespace det::ended {
namespace {

constexpr int64_t kCheckpointsMax = 1'000'000;

// Only what was registered, by its own name in a folder below the root.
absl::Status Remove(const store::CheckpointRow& row) {
  const std::filesystem::path folder(row.directory);
  if (!folder.is_absolute() || folder.filename() != row.uuid || folder.parent_path() == "/") {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "BAD_CHECKPOINT_FOLDER",
                 StrCat("checkpoint ", row.uuid, " has the folder ", QuoteJson(row.directory)));
  }
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  if (!error) return absl::OkStatus();
  return Error(absl::StatusCode::kUnavailable,
               "CHECKPOINT_NOT_REMOVED",
               StrCat(row.directory, ": ", error.message()),
               "mend the storage and delete the experiment again");
}

}  // namespace

absl::Status FolderRemover::RemoveAll(ExperimentId id) {
  DET_ASSIGN_OR_RETURN(const auto rows, store_.CheckpointsOf(id, kCheckpointsMax));
  for (const store::CheckpointRow& row : rows) DET_RETURN_IF_ERROR(Remove(row));
  return absl::OkStatus();
}

}  // namespace det::ended
