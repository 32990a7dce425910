#include "cli/cluster/layout.h"

#include <filesystem>

#include <unistd.h>

#include "cli/base/cause.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

namespace fs = std::filesystem;

absl::StatusOr<std::string> DefaultDirectory(const GetEnv& getenv) {
  if (geteuid() == 0) return std::string("/var/lib/det");
  if (const auto data = getenv("XDG_DATA_HOME"); data.has_value() && data->starts_with('/')) {
    return StrCat(*data, "/det");
  }
  if (const auto home = getenv("HOME"); home.has_value() && home->starts_with('/')) {
    return StrCat(*home, "/.local/share/det");
  }
  return UsageError("there is no place for the cluster's data: HOME is not set",
                    "name one with --data-dir");
}

}  // namespace

absl::StatusOr<Layout> FindLayout(const std::string& data_dir, const GetEnv& getenv) {
  std::error_code error;
  if (!data_dir.empty()) {
    fs::path path = fs::absolute(data_dir, error).lexically_normal();
    if (error) return UsageError(StrCat("--data-dir ", data_dir, ": ", error.message()));
    if (!path.has_filename() && path.has_parent_path()) path = path.parent_path();
    return Layout(path.string());
  }
  // One that can't be read is no reason to fail: it names nothing.
  if (const absl::StatusOr<Current> current = ReadCurrent(getenv);
      current.ok() && current->data_dir.starts_with('/')) {
    const Layout last(current->data_dir);
    if (fs::exists(last.settings(), error)) return last;
  }
  DET_ASSIGN_OR_RETURN(std::string directory, DefaultDirectory(getenv));
  return Layout(std::move(directory));
}

absl::Status ExplainPlace(absl::Status status) {
  if (!absl::IsPermissionDenied(status) || !ErrorHint(status).empty()) return status;
  return Error(status.code(),
               ErrorReason(status),
               FromAbsl(status.message()),
               "be the user whose cluster it is, or name another place with --data-dir");
}

}  // namespace det::cli
