#include <cstddef>
#include <cstdint>

#include "tests/fuzz/config_input.h"

// libFuzzer's door: the preset `fuzz`.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  det::fuzz::TryConfig({reinterpret_cast<const char*>(data), size});
  return 0;
}
