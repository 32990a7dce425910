#include "agent/devices/devices.h"

#include <fstream>

#include <sched.h>

#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::agent {
namespace {

constexpr int kSlotsMax = 1024;

std::string CpuModel() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("model name")) {
      const size_t colon = line.find(": ");
      if (colon != std::string::npos) return line.substr(colon + 2);
    }
  }
  return "CPU core";
}

}  // namespace

absl::StatusOr<std::vector<Device>> CpuSlots(int count) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (count == 0)
    count = sched_getaffinity(0, sizeof(allowed), &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
  if (count < 1 || count > kSlotsMax) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "INVALID_SLOTS",
                 StrCat("slots is ", count, ", must be from 1 to ", kSlotsMax));
  }
  const std::string model = CpuModel();
  std::vector<Device> devices;
  for (int i = 0; i < count; ++i) devices.push_back({i, "cpu", model});
  return devices;
}

std::vector<Device> ArtificialSlots(int count) {
  std::vector<Device> devices;
  for (int i = 0; i < count; ++i) devices.push_back({i, "artificial", "artificial"});
  return devices;
}

}  // namespace det::agent
