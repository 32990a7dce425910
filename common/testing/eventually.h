#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace det {

// Waits for a level: true as soon as `holds` is, false when the deadline comes first. Tests wait
// with this and with nothing else.
inline bool Eventually(const std::function<bool()>& holds,
                       std::chrono::milliseconds deadline = std::chrono::seconds(30)) {
  const auto until = std::chrono::steady_clock::now() + deadline;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace det
