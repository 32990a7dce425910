#include "agent/state/state_db.h"

#include <filesystem>

#include <unistd.h>

#include "common/base/archive.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"

namespace det::agent {
namespace {

constexpr int64_t kFormat = 1;
constexpr size_t kRecordBytesMax = 64 << 20;
constexpr std::string_view kSuffix = ".held";

}  // namespace

absl::StatusOr<StateDb> StateDb::Open(const std::string& directory) {
  DET_RETURN_IF_ERROR(MakeDirs(directory, 0700));
  return StateDb(directory);
}

std::string StateDb::PathOf(AllocationId id) const {
  return StrCat(directory_, "/", id.value(), kSuffix);
}

absl::StatusOr<std::vector<Held>> StateDb::Load() const {
  std::vector<Held> all;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, error)) {
    const std::string path = entry.path().string();
    if (!path.ends_with(kSuffix)) continue;  // what an interrupted write left
    DET_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kRecordBytesMax));
    ArchiveReader reader(bytes);
    int64_t format = 0;
    Held held;
    reader(format, held);
    if (format != kFormat || !reader.Done()) {
      return Error(
          absl::StatusCode::kDataLoss,
          "BAD_STATE",
          StrCat(path, " can't be read by this version of det-agent"),
          "start the version that wrote it, or move the file away: its task is then run anew");
    }
    all.push_back(std::move(held));
  }
  if (error) return OsError(error.value(), "list", directory_);
  return all;
}

absl::Status StateDb::Save(const Held& held) {
  ArchiveWriter writer;
  int64_t format = kFormat;
  Held copy = held;
  writer(format, copy);
  return AtomicWriteFile(PathOf(held.id), writer.Take(), 0600);
}

absl::Status StateDb::Forget(AllocationId id) {
  const std::string path = PathOf(id);
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return OsError(errno, "remove", path);
  return absl::OkStatus();
}

}  // namespace det::agent
