#include "cli/upload/pack.h"

#include <cerrno>
#include <memory>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <unistd.h>

#include "cli/upload/ignore.h"
#include "cli/upload/walk.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/digest/sha256.h"

namespace det::cli {
namespace {

// Where libarchive's bytes go.
struct Sink {
  Fd file;
  Sha256 hash;
  int64_t bytes = 0;
  absl::Status status;

  static la_ssize_t Write(archive* /*writer*/, void* self, const void* data, size_t size) {
    Sink& sink = *static_cast<Sink*>(self);
    const std::string_view bytes(static_cast<const char*>(data), size);
    sink.hash.Update(bytes);
    sink.bytes += static_cast<int64_t>(size);
    sink.status = WriteFull(sink.file, "a temporary file", bytes);
    return sink.status.ok() ? static_cast<la_ssize_t>(size) : -1;
  }
};

class Packer {
 public:
  explicit Packer(const std::string& root)
      : root_(root), writer_(archive_write_new(), archive_write_free) {
    DET_CHECK(writer_ != nullptr);
  }

  absl::StatusOr<PackedTree> Pack(const std::vector<TreeEntry>& entries) {
    DET_ASSIGN_OR_RETURN(sink_.file, OpenTemporary());
    // GNU tar takes names of any length as bytes; pax would translate them by the user's locale.
    DET_RETURN_IF_ERROR(Ok(archive_write_set_format_gnutar(writer_.get())));
    DET_RETURN_IF_ERROR(Ok(archive_write_set_bytes_per_block(writer_.get(), 64 << 10)));
    DET_RETURN_IF_ERROR(Ok(archive_write_set_bytes_in_last_block(writer_.get(), 1)));
    DET_RETURN_IF_ERROR(
        Ok(archive_write_open(writer_.get(), &sink_, nullptr, Sink::Write, nullptr)));
    PackedTree packed;
    for (const TreeEntry& entry : entries) {
      DET_RETURN_IF_ERROR(Add(entry));
      if (entry.kind != TreeEntry::Kind::kFile) continue;
      ++packed.files;
      packed.bytes += entry.bytes;
    }
    DET_RETURN_IF_ERROR(Ok(archive_write_close(writer_.get())));
    if (lseek(sink_.file.get(), 0, SEEK_SET) != 0) {
      return FileError("rewind", "a temporary file", errno);
    }
    packed.archive = std::move(sink_.file);
    packed.archive_bytes = sink_.bytes;
    packed.sha256 = sink_.hash.Finish();
    return packed;
  }

 private:
  absl::Status Ok(int result) {
    if (result == ARCHIVE_OK) return absl::OkStatus();
    if (!sink_.status.ok()) return sink_.status;
    const char* what = archive_error_string(writer_.get());
    return Error(absl::StatusCode::kInternal,
                 "ARCHIVE_FAILED",
                 StrCat("cannot pack ", root_, ": ", what == nullptr ? "unknown" : what));
  }

  absl::Status Add(const TreeEntry& entry) {
    const std::unique_ptr<archive_entry, void (*)(archive_entry*)> header(archive_entry_new(),
                                                                          archive_entry_free);
    DET_CHECK(header != nullptr);
    archive_entry_set_pathname(header.get(), entry.path.c_str());
    archive_entry_set_perm(header.get(), static_cast<mode_t>(entry.mode));
    archive_entry_set_mtime(header.get(), entry.modified_unix_seconds, 0);
    switch (entry.kind) {
      case TreeEntry::Kind::kDirectory:
        archive_entry_set_filetype(header.get(), AE_IFDIR);
        return Ok(archive_write_header(writer_.get(), header.get()));
      case TreeEntry::Kind::kLink:
        archive_entry_set_filetype(header.get(), AE_IFLNK);
        archive_entry_set_symlink(header.get(), entry.target.c_str());
        return Ok(archive_write_header(writer_.get(), header.get()));
      case TreeEntry::Kind::kFile:
        break;
    }
    archive_entry_set_filetype(header.get(), AE_IFREG);
    archive_entry_set_size(header.get(), entry.bytes);
    return AddFile(entry, header.get());
  }

  absl::Status AddFile(const TreeEntry& entry, archive_entry* header) {
    const std::string path = StrCat(root_, "/", entry.path);
    const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!file.valid()) return FileError("read", path, errno);
    DET_RETURN_IF_ERROR(Ok(archive_write_header(writer_.get(), header)));
    // The header has promised so many bytes: more are left for another time, fewer are an error.
    int64_t left = entry.bytes;
    while (left > 0) {
      const size_t want = std::min(buffer_.size(), static_cast<size_t>(left));
      DET_ASSIGN_OR_RETURN(const size_t got, ReadFull(file, path, buffer_.data(), want));
      if (got < want) {
        return Error(absl::StatusCode::kAborted,
                     "FILE_CHANGED",
                     StrCat(path, " became shorter while it was read"),
                     "try again when nothing writes to it");
      }
      if (archive_write_data(writer_.get(), buffer_.data(), got) != static_cast<la_ssize_t>(got)) {
        return Ok(ARCHIVE_FATAL);
      }
      left -= static_cast<int64_t>(got);
    }
    return absl::OkStatus();
  }

  const std::string& root_;
  Sink sink_;
  std::unique_ptr<archive, int (*)(archive*)> writer_;
  std::string buffer_ = std::string(256 << 10, '\0');
};

}  // namespace

absl::StatusOr<PackedTree> PackTree(const std::string& directory) {
  DET_ASSIGN_OR_RETURN(const IgnoreRules rules, ReadRules(directory));
  DET_ASSIGN_OR_RETURN(const std::vector<TreeEntry> entries, WalkTree(directory, rules));
  return PackEntries(directory, entries);
}

absl::StatusOr<PackedTree> PackEntries(const std::string& directory,
                                       const std::vector<TreeEntry>& entries) {
  return Packer(directory).Pack(entries);
}

}  // namespace det::cli
