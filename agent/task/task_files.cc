#include "agent/task/task_files.h"

#include <cerrno>
#include <cstdio>

#include <fcntl.h>

#include "agent/spool/segment_file.h"
#include "common/base/archive.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"

namespace det::agent {
namespace {

// Environments hold tokens, so nobody else may read.
constexpr mode_t kMode = 0600;
constexpr size_t kRecordBytesMax = size_t{16} << 20;
constexpr size_t kReserveBytes = 4096;
constexpr size_t kExitTextMax = 2000;
constexpr std::string_view kVersion = "1";

std::string Title(std::string_view kind) {
  return StrCat("det ", kind, " ");
}

// Its title, another number, and the end of the line.
bool IsOtherVersion(std::string_view bytes, std::string_view title) {
  if (!bytes.starts_with(title)) return false;
  bytes.remove_prefix(title.size());
  const size_t digits = bytes.find_first_not_of("0123456789");
  if (digits == 0 || digits == std::string_view::npos || bytes[digits] != '\n') return false;
  return bytes.substr(0, digits) != kVersion;
}

template <class T>
std::string EncodeRecord(std::string_view kind, const T& record) {
  std::string bytes = StrCat(Title(kind), kVersion, "\n");
  spool::AppendFrame(EncodeArchive(record), &bytes);
  return bytes;
}

template <class T>
absl::StatusOr<T> ReadRecord(std::string_view kind, const std::string& path) {
  DET_ASSIGN_OR_RETURN(const std::string content, ReadFile(path, kRecordBytesMax));
  std::string_view bytes = content;
  const std::string title = Title(kind);
  const std::string first_line = StrCat(title, kVersion, "\n");
  if (IsOtherVersion(bytes, title)) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "RECORD_VERSION",
                 StrCat("cannot read ", path, ": another version of det wrote it"));
  }
  T record;
  if (bytes.starts_with(first_line)) {
    bytes.remove_prefix(first_line.size());
    const spool::Frame frame = spool::ParseFrame(bytes);
    if (frame.kind == spool::Frame::Kind::kWhole && DecodeArchive(frame.payload, &record)) {
      return record;
    }
  }
  return Error(absl::StatusCode::kDataLoss,
               "RECORD_DAMAGED",
               StrCat("cannot read ", path, ": it is damaged"));
}

}  // namespace

std::string TaskFiles::Path(std::string_view name) const {
  return StrCat(directory_, "/", name);
}

absl::Status TaskFiles::WriteOrder(const TaskOrder& order) const {
  // Of no use after a power failure: the task is lost then.
  return AtomicWriteFileUnsynced(this->order(), EncodeRecord("spec", order), kMode);
}
absl::StatusOr<TaskOrder> TaskFiles::ReadOrder() const {
  return ReadRecord<TaskOrder>("spec", order());
}
absl::Status TaskFiles::WriteShim(const ShimRecord& record) const {
  return AtomicWriteFile(shim(), EncodeRecord("shim", record), kMode);
}
absl::StatusOr<ShimRecord> TaskFiles::ReadShim() const {
  return ReadRecord<ShimRecord>("shim", shim());
}
absl::Status TaskFiles::WriteExit(const ExitRecord& record) const {
  return AtomicWriteFile(exit(), EncodeRecord("exit", record), kMode);
}
absl::StatusOr<ExitRecord> TaskFiles::ReadExit() const {
  return ReadRecord<ExitRecord>("exit", exit());
}

absl::StatusOr<ExitReserve> ExitReserve::Take(const TaskFiles& files) {
  const std::string path = StrCat(files.exit(), ".reserve");
  DET_ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_RDWR | O_CREAT | O_TRUNC, kMode));
  // Written, not only allocated: overwriting then needs nothing new on any common file system.
  DET_RETURN_IF_ERROR(WriteAll(fd.get(), std::string(kReserveBytes, '\0'), path));
  return ExitReserve(files, std::move(fd));
}

absl::Status ExitReserve::Write(ExitRecord record) {
  record.exit.text.resize(CutUtf8(record.exit.text, kExitTextMax).size());
  const std::string path = StrCat(files_.exit(), ".reserve");
  const std::string bytes = EncodeRecord("exit", record);
  if (::lseek(fd_.get(), 0, SEEK_SET) != 0) return OsError(errno, "write", path);
  DET_RETURN_IF_ERROR(WriteAll(fd_.get(), bytes, path));
  if (::fsync(fd_.get()) != 0) return OsError(errno, "sync", path);
  if (std::rename(path.c_str(), files_.exit().c_str()) != 0) {
    return OsError(errno, "write", files_.exit());
  }
  return SyncDirectory(files_.directory());
}

void ExitReserve::GiveUp() {
  fd_.Reset();
  ::unlink(StrCat(files_.exit(), ".reserve").c_str());
}

}  // namespace det::agent
