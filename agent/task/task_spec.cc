#include "agent/task/task_spec.h"

#include <string_view>

#include <limits.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/spawn.h"

namespace det::agent {
namespace {

// The longest name below a task's directory, with room to spare.
constexpr size_t kNameRoom = 64;
// Lines come in pieces of 16 KiB, and a log is made of four parts at least.
constexpr int64_t kLogBytesMin = int64_t{256} << 10;

}  // namespace

absl::Status CheckTaskSpec(const TaskSpec& spec) {
  const auto refuse = [&](std::string_view reason, std::string_view why) {
    return Error(absl::StatusCode::kInvalidArgument,
                 reason,
                 StrCat("cannot start allocation ", spec.id.value(), ": ", why));
  };
  if (!spec.directory.starts_with('/')) {
    return refuse("DIRECTORY_NOT_ABSOLUTE",
                  StrCat("its directory \"", spec.directory, "\" is not an absolute path"));
  }
  if (spec.directory.size() + kNameRoom > PATH_MAX) {
    return refuse("PATH_TOO_LONG",
                  StrCat("the path of its directory has ",
                         spec.directory.size(),
                         " bytes; at most ",
                         PATH_MAX - kNameRoom,
                         " are possible"));
  }
  if (spec.argv.empty() || spec.argv.front().empty()) {
    return refuse("NO_PROGRAM", "there is no program to run");
  }
  if (spec.grace < absl::ZeroDuration()) return refuse("NEGATIVE_GRACE", "its grace is negative");
  if (spec.log_bytes_max < kLogBytesMin) {
    return refuse("LOG_TOO_SMALL", StrCat("its log needs ", kLogBytesMin, " bytes or more"));
  }
  DET_RETURN_IF_ERROR(CheckStrings({spec.directory, spec.workdir}, "path"));
  DET_RETURN_IF_ERROR(CheckStrings(spec.argv, "argument"));
  return CheckStrings(spec.env, "environment variable");
}

}  // namespace det::agent
