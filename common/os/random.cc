#include "common/os/random.h"

#include <array>
#include <cerrno>

#include <sys/random.h>

#include "common/base/check.h"

namespace det {
namespace {

template <size_t N>
std::array<unsigned char, N> RandomBytes() {
  std::array<unsigned char, N> bytes{};
  size_t have = 0;
  while (have < N) {
    const ssize_t got = getrandom(bytes.data() + have, N - have, 0);
    DET_CHECK(got > 0 || errno == EINTR, "the kernel gives no random bytes");
    if (got > 0) have += static_cast<size_t>(got);
  }
  return bytes;
}

}  // namespace

std::string RandomToken() {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string token;
  for (const unsigned char byte : RandomBytes<43>()) token.push_back(kDigits[byte & 63]);
  return token;
}

std::string RandomUuid() {
  static constexpr char kHex[] = "0123456789abcdef";
  auto bytes = RandomBytes<16>();
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
  std::string uuid;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) uuid.push_back('-');
    uuid.push_back(kHex[bytes[i] >> 4]);
    uuid.push_back(kHex[bytes[i] & 15]);
  }
  return uuid;
}

}  // namespace det
