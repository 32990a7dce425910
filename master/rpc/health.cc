#include "master/rpc/health.h"

#include <filesystem>

#include "common/base/strings.h"

namespace det::rpc {
namespace {

namespace pb = det::api::v1;

constexpr absl::Duration kSlowQuery = absl::Milliseconds(50);
constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kGiB = 1 << 30;

void Add(pb::GetHealthResponse* response,
         const char* name,
         const char* level,
         std::string text,
         std::string hint = {}) {
  pb::HealthCheck* check = response->add_checks();
  check->set_name(name);
  check->set_level(level);
  check->set_text(std::move(text));
  check->set_hint(std::move(hint));
}

void PutDisk(const std::string& directory, pb::GetHealthResponse* response) {
  std::error_code error;
  const auto space = std::filesystem::space(directory, error);
  // A database on another machine has its disk there.
  if (directory.empty() || error) return;
  const auto free = static_cast<int64_t>(space.available);
  const auto percent =
      static_cast<int64_t>(space.capacity == 0 ? 0
                                               : 100.0 * static_cast<double>(free) /
                                                     static_cast<double>(space.capacity));
  const std::string text = StrCat(free / kMiB, " MiB (", percent, "%) free for the database");
  if (free < kGiB / 2) {
    Add(response, "disk", "fail", text, StrCat("make room on the disk of ", directory));
  } else if (percent < 10) {
    Add(response, "disk", "warn", text, StrCat("make room on the disk of ", directory));
  } else {
    Add(response, "disk", "ok", text);
  }
}

}  // namespace

void PutHealth(const Deps& deps, pb::GetHealthResponse* response) {
  response->set_now_unix_nanos(absl::ToUnixNanos(deps.clock.Now()));
  const auto health = deps.store.Look();
  if (!health.ok()) {
    Add(response,
        "database",
        "fail",
        std::string(FromAbsl(health.status().message())),
        "see the master's log");
    return;
  }
  const std::string text =
      StrCat("answers in ",
             absl::FormatDuration(absl::Trunc(health->latency, absl::Microseconds(10))),
             ", holds ",
             health->bytes / kMiB,
             " MiB");
  const bool slow = health->latency > kSlowQuery;
  Add(response,
      "database",
      slow ? "warn" : "ok",
      text,
      slow ? "its machine is busy, or far from the master's" : "");
  PutDisk(health->data_directory, response);
}

}  // namespace det::rpc
