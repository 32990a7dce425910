#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace det::agent {

// What a task may hold one of.
struct Device {
  int index = 0;
  std::string kind;  // "cpu", "artificial"
  std::string name;  // for people
};

// One slot a core that this process may run on, so that one trial a core runs by default.
// `count` > 0 asks for so many instead.
absl::StatusOr<std::vector<Device>> CpuSlots(int count);

// Slots that stand for nothing: for tests and for tasks that are not bound to a device.
std::vector<Device> ArtificialSlots(int count);

}  // namespace det::agent
