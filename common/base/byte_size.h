#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace det {

// "4 GiB", "512m", "1.5g", "64b", "100": a number, a space perhaps, and a unit in either case: b,
// or k, m, g, t or p with b or ib perhaps; every unit is a power of 1024, as Docker has it. A part
// of a byte is dropped. Nothing for what is no such text or does not fit into an int64. Pure.
std::optional<int64_t> ParseByteSize(std::string_view text);

}  // namespace det
