#include "common/tar/unpack.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include <archive.h>
#include <archive_entry.h>
#include <limits.h>
#include <stdlib.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"
#include "common/os/os_error.h"

namespace det {
namespace {

constexpr size_t kBlockBytes = 1 << 16;
// Of folders in each other. Each is looked at again for every file below it.
constexpr size_t kDepthMax = 200;

struct CloseRead {
  void operator()(archive* a) const { archive_read_free(a); }
};
struct CloseWrite {
  void operator()(archive* a) const { archive_write_free(a); }
};

absl::Status Refuse(const std::string& name, std::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument,
               "UNSAFE_CONTEXT",
               StrCat("the model directory holds ", QuoteJson(CutUtf8(name, 200)), ", ", why));
}

std::string_view Text(const char* text) {
  return text == nullptr ? "unknown error" : text;
}

absl::Status Unreadable(archive* in, const std::string& path) {
  const std::string_view text = Text(archive_error_string(in));
  // With these the library says that it is the content.
  if (archive_errno(in) <= 0 || archive_errno(in) == EILSEQ) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "UNSAFE_CONTEXT",
                 StrCat("the model directory's archive is damaged: ", text));
  }
  return Error(absl::StatusCode::kUnavailable, "CANT_UNPACK", StrCat(path, ": ", text));
}

// What can't be written is the archive's fault unless the machine is in need.
absl::Status Unwritable(archive* out, const std::string& name) {
  static constexpr int kMachines[] = {ENOSPC, EDQUOT, EIO, EROFS, EMFILE, ENFILE, ENOMEM, EACCES};
  const int error = archive_errno(out);
  const std::string_view text = Text(archive_error_string(out));
  if (std::find(std::begin(kMachines), std::end(kMachines), error) == std::end(kMachines))
    return Refuse(name, StrCat("which can't be unpacked: ", text));
  return Error(
      absl::StatusCode::kUnavailable, "CANT_UNPACK", StrCat(name, " can't be written: ", text));
}

// The parts of a path but "" and ".".
std::vector<std::string_view> Parts(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::string_view part = path.substr(0, path.find('/'));
    if (!part.empty() && part != ".") parts.push_back(part);
    path.remove_prefix(std::min(path.size(), part.size() + 1));
  }
  return parts;
}

// Relative, and without a part that goes up.
bool StaysInside(std::string_view path) {
  if (path.empty() || path[0] == '/') return false;
  const std::vector<std::string_view> parts = Parts(path);
  return std::find(parts.begin(), parts.end(), "..") == parts.end();
}

// Goes up no further than to the top, and only at its beginning: from a real folder, that is. What
// lies behind a name may be a link itself, and above its end is anywhere.
bool LinkStaysInside(std::string_view name, std::string_view target) {
  if (target.empty() || target[0] == '/') return false;
  const std::vector<std::string_view> parts = Parts(target);
  const auto is_up = [](std::string_view part) { return part == ".."; };
  const auto down = std::find_if_not(parts.begin(), parts.end(), is_up);
  if (std::any_of(down, parts.end(), is_up)) return false;
  return static_cast<size_t>(down - parts.begin()) < std::max<size_t>(Parts(name).size(), 1);
}

class Unpacker {
 public:
  Unpacker(std::string directory, const UnpackLimits& limits)
      : directory_(std::move(directory)), limits_(limits) {}

  absl::Status Run(const std::string& archive_path);

 private:
  absl::Status Check(archive_entry* entry);
  absl::Status CheckLink(archive_entry* entry, const std::string& name);
  absl::Status CheckSize(archive_entry* entry, const std::string& name);
  absl::Status Put(archive_entry* entry);
  absl::Status CopyData(const std::string& name);

  const std::string directory_;
  const UnpackLimits limits_;
  const std::unique_ptr<archive, CloseRead> in_{archive_read_new()};
  const std::unique_ptr<archive, CloseWrite> out_{archive_write_disk_new()};
  int64_t bytes_ = 0;
  int64_t files_ = 0;
};

absl::Status Unpacker::Run(const std::string& archive_path) {
  archive_read_support_format_tar(in_.get());
  // Names are bytes, whatever language this process speaks.
  archive_read_set_option(in_.get(), "tar", "hdrcharset", "BINARY");
  archive_write_disk_set_options(out_.get(),
                                 ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_PERM |
                                     ARCHIVE_EXTRACT_SECURE_SYMLINKS |
                                     ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_UNLINK);
  if (archive_read_open_filename(in_.get(), archive_path.c_str(), kBlockBytes) != ARCHIVE_OK)
    return Unreadable(in_.get(), archive_path);
  while (true) {
    archive_entry* entry = nullptr;
    const int result = archive_read_next_header(in_.get(), &entry);
    if (result == ARCHIVE_EOF) return absl::OkStatus();
    if (result < ARCHIVE_WARN) return Unreadable(in_.get(), archive_path);
    DET_RETURN_IF_ERROR(Check(entry));
    DET_RETURN_IF_ERROR(Put(entry));
  }
}

absl::Status Unpacker::Check(archive_entry* entry) {
  const char* raw = archive_entry_pathname(entry);
  if (raw == nullptr) return Refuse("?", "a name that can't be read");
  const std::string name = raw;
  if (++files_ > limits_.files_max)
    return Refuse(name, StrCat("the one beyond ", limits_.files_max, " entries"));
  if (!StaysInside(name)) return Refuse(name, "which leads out of it");
  // Beyond this the library would change this whole process's working directory.
  if (directory_.size() + name.size() + 2 > PATH_MAX || Parts(name).size() > kDepthMax)
    return Refuse(name, "whose path is too long");
  // Only the plain permission bits are the author's to give.
  archive_entry_set_perm(entry, archive_entry_perm(entry) & 0777);
  DET_RETURN_IF_ERROR(CheckLink(entry, name));
  return CheckSize(entry, name);
}

absl::Status Unpacker::CheckLink(archive_entry* entry, const std::string& name) {
  constexpr std::string_view kLeadsOut = "a link that leads out of it";
  if (const char* hard = archive_entry_hardlink(entry)) {
    return StaysInside(hard) ? absl::OkStatus() : Refuse(name, kLeadsOut);
  }
  const auto type = archive_entry_filetype(entry);
  if (type == AE_IFREG || type == AE_IFDIR) return absl::OkStatus();
  if (type != AE_IFLNK) return Refuse(name, "which is neither a file, a folder nor a link");
  const char* target = archive_entry_symlink(entry);
  return target != nullptr && LinkStaysInside(name, target) ? absl::OkStatus()
                                                            : Refuse(name, kLeadsOut);
}

// By what the entry says, before anything is written: a file of holes costs nothing here and
// everything in what reads it.
absl::Status Unpacker::CheckSize(archive_entry* entry, const std::string& name) {
  const int64_t size = std::max<int64_t>(archive_entry_size(entry), 0);
  if (size > limits_.bytes_max - bytes_)
    return Refuse(name, StrCat("which makes it larger than ", limits_.bytes_max, " bytes"));
  bytes_ += size;
  return absl::OkStatus();
}

absl::Status Unpacker::Put(archive_entry* entry) {
  const std::string name = archive_entry_pathname(entry);
  archive_entry_set_pathname(entry, StrCat(directory_, "/", name).c_str());
  if (const char* hard = archive_entry_hardlink(entry)) {
    archive_entry_set_hardlink(entry, StrCat(directory_, "/", std::string(hard)).c_str());
  }
  if (archive_write_header(out_.get(), entry) < ARCHIVE_OK) return Unwritable(out_.get(), name);
  if (archive_entry_size(entry) > 0) DET_RETURN_IF_ERROR(CopyData(name));
  if (archive_write_finish_entry(out_.get()) < ARCHIVE_OK) return Unwritable(out_.get(), name);
  return absl::OkStatus();
}

absl::Status Unpacker::CopyData(const std::string& name) {
  const void* data = nullptr;
  size_t size = 0;
  la_int64_t offset = 0;
  int result = ARCHIVE_OK;
  while ((result = archive_read_data_block(in_.get(), &data, &size, &offset)) == ARCHIVE_OK) {
    if (archive_write_data_block(out_.get(), data, size, offset) < ARCHIVE_OK)
      return Unwritable(out_.get(), name);
  }
  if (result == ARCHIVE_EOF) return absl::OkStatus();
  return Refuse(name, "which is cut off or damaged");
}

}  // namespace

absl::Status UnpackTar(const std::string& archive,
                       const std::string& directory,
                       const UnpackLimits& limits) {
  // Links on the way to the folder are the machine's own; the library, which looks at every part of
  // a path, would take them for the archive's and remove them.
  const std::unique_ptr<char, decltype(&free)> real(realpath(directory.c_str(), nullptr), &free);
  if (real == nullptr) return OsError(errno, "open", directory);
  return Unpacker(real.get(), limits).Run(archive);
}

}  // namespace det
