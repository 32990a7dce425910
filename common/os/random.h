#pragma once

#include <string>

namespace det {

// From the kernel's generator. Any thread.

// 256 random bits as 43 letters, digits, "-" and "_".
std::string RandomToken();
// A random UUID (RFC 9562, version 4).
std::string RandomUuid();

}  // namespace det
