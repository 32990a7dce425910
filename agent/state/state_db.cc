#include "agent/state/state_db.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/base/archive.h"
#include "common/base/hash.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"

namespace det::agent {
namespace {

// A record is the title, the hash of what follows it in 16 digits, the end of the line, and a Held
// as an archive.
constexpr std::string_view kTitle = "det held ";
constexpr std::string_view kVersion = "2 ";
constexpr size_t kHashDigits = 16;
constexpr int64_t kReserveShare = 4;
constexpr size_t kRecordBytesMax = 64 << 20;
constexpr std::string_view kSuffix = ".held";
constexpr std::string_view kDamagedSuffix = ".damaged";

std::string HashOf(std::string_view body) {
  return absl::StrCat(absl::Hex(StableHash(body), absl::kZeroPad16));
}

std::string Encode(const Held& held) {
  const std::string body = EncodeArchive(held);
  return StrCat(kTitle, kVersion, HashOf(body), "\n", body);
}

bool IsOtherVersion(std::string_view record) {
  if (!record.starts_with(kTitle)) return false;
  record.remove_prefix(kTitle.size());
  const size_t digits = record.find_first_not_of("0123456789");
  return digits != 0 && digits != std::string_view::npos && record[digits] == ' ' &&
         !record.starts_with(kVersion);
}

bool Decode(std::string_view record, Held* held) {
  const std::string head = StrCat(kTitle, kVersion);
  if (!record.starts_with(head)) return false;
  record.remove_prefix(head.size());
  if (record.size() <= kHashDigits || record[kHashDigits] != '\n') return false;
  const std::string_view body = record.substr(kHashDigits + 1);
  return record.substr(0, kHashDigits) == HashOf(body) && DecodeArchive(body, held);
}

// Of "12.held"; not valid otherwise.
AllocationId IdOf(const std::string& name) {
  const AllocationId id(std::strtoll(name.c_str(), nullptr, 10));
  return StrCat(id.value(), kSuffix) == name ? id : AllocationId();
}

absl::Status ReadRecord(const std::string& path, AllocationId id, Held* held) {
  DET_ASSIGN_OR_RETURN(const std::string record, ReadFile(path, kRecordBytesMax));
  if (IsOtherVersion(record)) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "STATE_VERSION",
                 StrCat("another version of det-agent wrote ", path),
                 "start that version, or move the file away: its task is then lost");
  }
  if (Decode(record, held) && held->id == id) return absl::OkStatus();
  return Error(absl::StatusCode::kDataLoss, "STATE_DAMAGED", StrCat(path, " is damaged"));
}

}  // namespace

absl::StatusOr<StateDb> StateDb::Open(const std::string& directory) {
  DET_RETURN_IF_ERROR(MakeDirs(directory, 0700));
  StateDb state(directory);
  struct stat info {};
  state.reserved_ = stat(state.ReservePath().c_str(), &info) == 0 && info.st_size == kReserveBytes;
  state.TakeReserve();
  return state;
}

// Only where there is plenty: it must not be what fills the disk.
void StateDb::TakeReserve() {
  struct statvfs info {};
  if (reserved_ || statvfs(directory_.c_str(), &info) != 0) return;
  const int64_t free = static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize);
  if (free < kReserveShare * kReserveBytes) return;
  reserved_ = AtomicWriteFileUnsynced(ReservePath(), std::string(kReserveBytes, '\0'), 0600).ok();
}

std::string StateDb::PathOf(AllocationId id) const {
  return StrCat(directory_, "/", id.value(), kSuffix);
}

absl::StatusOr<StateDb::Loaded> StateDb::Load() const {
  Loaded loaded;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, error)) {
    const std::string path = entry.path().string();
    const AllocationId id = IdOf(entry.path().filename().string());
    if (!id.valid()) continue;  // what an interrupted write left, or was put aside
    Held held;
    const absl::Status status = ReadRecord(path, id, &held);
    // What fails for want of something is there the next time.
    if (absl::IsFailedPrecondition(status) || ErrorReason(status) == "TOO_MANY_OPEN_FILES")
      return status;
    if (status.ok()) {
      loaded.held.push_back(std::move(held));
    } else {
      loaded.damaged.push_back(
          {id, StrCat(path, kDamagedSuffix), std::string(FromAbsl(status.message()))});
    }
  }
  if (error) return OsError(error.value(), "list", directory_);
  for (const Damaged& damaged : loaded.damaged) {
    unlink(damaged.kept.c_str());
    if (link(PathOf(damaged.id).c_str(), damaged.kept.c_str()) != 0)
      return OsError(errno, "link", damaged.kept);
  }
  return loaded;
}

absl::Status StateDb::Save(const Held& held) {
  const std::string record = Encode(held);
  absl::Status status = AtomicWriteFile(PathOf(held.id), record, 0600);
  if (status.ok()) {
    TakeReserve();
  } else if (IsDiskFull(status) && reserved_) {
    unlink(ReservePath().c_str());
    reserved_ = false;
    status = AtomicWriteFile(PathOf(held.id), record, 0600);
  }
  return status;
}

absl::Status StateDb::Forget(AllocationId id) {
  const std::string path = PathOf(id);
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return OsError(errno, "remove", path);
  return absl::OkStatus();
}

}  // namespace det::agent
