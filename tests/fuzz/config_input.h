#pragma once

#include <string_view>

namespace det::fuzz {

// One input of the fuzzers: a text, then after a NUL byte each override or template. Reads it as
// YAML, as a configuration in both readings, and aborts where a promise is broken: what is accepted
// parses back to itself, recorded or not; no text is left unread without an error.
void TryConfig(std::string_view input);

}  // namespace det::fuzz
