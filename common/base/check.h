#pragma once

#include <string_view>

namespace det {

// Prints what failed and where, then aborts. For a programmer's error only: bad input is a Status.
[[noreturn]] void CheckFailed(const char* file,
                              int line,
                              const char* condition,
                              std::string_view detail);

}  // namespace det

// Holds in every build, release too: going on with a broken invariant would corrupt durable state.
#define DET_CHECK(condition, ...)                                                        \
  do {                                                                                   \
    if (!(condition)) [[unlikely]] {                                                     \
      ::det::CheckFailed(__FILE__, __LINE__, #condition, std::string_view{__VA_ARGS__}); \
    }                                                                                    \
  } while (false)
