#pragma once

#include <cstdint>
#include <string_view>

namespace det {

// CRC-32C (Castagnoli), as in iSCSI and ext4: part of durable formats.
uint32_t Crc32c(std::string_view bytes);

}  // namespace det
