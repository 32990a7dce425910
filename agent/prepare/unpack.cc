#include "agent/prepare/unpack.h"

#include <memory>

#include <archive.h>
#include <archive_entry.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"

namespace det::agent {
namespace {

struct CloseRead {
  void operator()(archive* a) const { archive_read_free(a); }
};
struct CloseWrite {
  void operator()(archive* a) const { archive_write_free(a); }
};

absl::Status Refuse(const std::string& name, std::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument,
               "UNSAFE_CONTEXT",
               StrCat("the model directory holds ", QuoteJson(name.substr(0, 200)), ", ", why));
}

// Relative, and without a part that goes up.
bool StaysInside(const std::string& path) {
  if (path.empty() || path[0] == '/' || path.find('\0') != std::string::npos) return false;
  return StrCat("/", path, "/").find("/../") == std::string::npos;
}

// Where a link at `name` that says `target` leads, counted in folders: never above the top.
bool LinkStaysInside(const std::string& name, const std::string& target) {
  if (target.empty() || target[0] == '/') return false;
  int depth = 0;
  for (size_t i = 0; i < name.size(); ++i) depth += name[i] == '/' ? 1 : 0;
  for (size_t at = 0; at <= target.size();) {
    size_t end = target.find('/', at);
    if (end == std::string::npos) end = target.size();
    const std::string part = target.substr(at, end - at);
    if (part == "..") {
      if (--depth < 0) return false;
    } else if (!part.empty() && part != ".") {
      ++depth;
    }
    at = end + 1;
  }
  return true;
}

absl::Status CheckEntry(archive_entry* entry) {
  const char* raw = archive_entry_pathname(entry);
  if (raw == nullptr) return Refuse("?", "a name that can't be read");
  const std::string name = raw;
  if (!StaysInside(name)) return Refuse(name, "which leads out of it");
  if (const char* hard = archive_entry_hardlink(entry)) {
    if (!StaysInside(hard)) return Refuse(name, "a link that leads out of it");
    return absl::OkStatus();
  }
  switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
    case AE_IFDIR:
      break;
    case AE_IFLNK: {
      const char* target = archive_entry_symlink(entry);
      if (target == nullptr || !LinkStaysInside(name, target))
        return Refuse(name, "a link that leads out of it");
      break;
    }
    default:
      return Refuse(name, "which is neither a file, a folder nor a link");
  }
  // Only the plain permission bits are the author's to give.
  archive_entry_set_perm(entry, archive_entry_perm(entry) & 0777);
  return absl::OkStatus();
}

absl::Status CopyData(archive* in, archive* out, const std::string& name, int64_t* bytes) {
  const void* data = nullptr;
  size_t size = 0;
  la_int64_t offset = 0;
  int result = ARCHIVE_OK;
  while ((result = archive_read_data_block(in, &data, &size, &offset)) == ARCHIVE_OK) {
    *bytes += static_cast<int64_t>(size);
    if (*bytes > kUnpackedBytesMax || offset > kUnpackedBytesMax)
      return Refuse(name, "which makes it larger than 64 GiB");
    if (archive_write_data_block(out, data, size, offset) < ARCHIVE_OK) {
      return Error(
          absl::StatusCode::kUnavailable,
          "CANT_UNPACK",
          StrCat(name, " can't be written: ", std::string_view(archive_error_string(out))));
    }
  }
  if (result == ARCHIVE_EOF) return absl::OkStatus();
  return Refuse(name, "which is cut off or damaged");
}

std::string_view Text(const char* text) {
  return text == nullptr ? "unknown error" : text;
}

}  // namespace

absl::Status UnpackTar(const std::string& archive_path, const std::string& directory) {
  const std::unique_ptr<archive, CloseRead> in(archive_read_new());
  const std::unique_ptr<archive, CloseWrite> out(archive_write_disk_new());
  archive_read_support_format_tar(in.get());
  archive_write_disk_set_options(out.get(),
                                 ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_PERM |
                                     ARCHIVE_EXTRACT_SECURE_SYMLINKS |
                                     ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_UNLINK);
  if (archive_read_open_filename(in.get(), archive_path.c_str(), 1 << 16) != ARCHIVE_OK) {
    return Error(absl::StatusCode::kUnavailable,
                 "CANT_UNPACK",
                 StrCat(archive_path, ": ", Text(archive_error_string(in.get()))));
  }
  int64_t bytes = 0;
  for (int64_t files = 0;; ++files) {
    archive_entry* entry = nullptr;
    const int result = archive_read_next_header(in.get(), &entry);
    if (result == ARCHIVE_EOF) break;
    if (result < ARCHIVE_WARN)
      return Refuse(archive_path,
                    StrCat("which is damaged: ", Text(archive_error_string(in.get()))));
    if (files >= kUnpackedFilesMax)
      return Refuse(archive_entry_pathname(entry), "the one beyond a million entries");
    DET_RETURN_IF_ERROR(CheckEntry(entry));
    const std::string name = archive_entry_pathname(entry);
    archive_entry_set_pathname(entry, StrCat(directory, "/", name).c_str());
    if (const char* hard = archive_entry_hardlink(entry)) {
      archive_entry_set_hardlink(entry, StrCat(directory, "/", std::string(hard)).c_str());
    }
    if (archive_write_header(out.get(), entry) < ARCHIVE_OK) {
      return Error(absl::StatusCode::kUnavailable,
                   "CANT_UNPACK",
                   StrCat(name, ": ", Text(archive_error_string(out.get()))));
    }
    if (archive_entry_size(entry) > 0)
      DET_RETURN_IF_ERROR(CopyData(in.get(), out.get(), name, &bytes));
    if (archive_write_finish_entry(out.get()) < ARCHIVE_OK) {
      return Error(absl::StatusCode::kUnavailable,
                   "CANT_UNPACK",
                   StrCat(name, ": ", Text(archive_error_string(out.get()))));
    }
  }
  return absl::OkStatus();
}

}  // namespace det::agent
