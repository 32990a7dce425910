#include "common/os/daemon.h"

#include <cstdio>
#include <string>

#include "common/base/status.h"

namespace det {

int ExitWith(std::string_view program, const absl::Status& status) {
  const std::string hint = ErrorHint(status);
  std::fprintf(stderr,
               "%.*s: error: %s\n",
               static_cast<int>(program.size()),
               program.data(),
               std::string(status.message()).c_str());
  if (!hint.empty()) std::fprintf(stderr, "hint: %s\n", hint.c_str());
  return status.code() == absl::StatusCode::kInvalidArgument ? 2 : 1;
}

}  // namespace det
