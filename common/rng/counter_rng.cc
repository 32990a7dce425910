#include "common/rng/counter_rng.h"

#include "common/base/check.h"
#include "common/base/hash.h"

namespace det {
namespace {

constexpr uint32_t kMultiplier0 = 0xD2511F53U;
constexpr uint32_t kMultiplier1 = 0xCD9E8D57U;
constexpr uint32_t kWeyl0 = 0x9E3779B9U;
constexpr uint32_t kWeyl1 = 0xBB67AE85U;

constexpr uint32_t High(uint64_t x) {
  return static_cast<uint32_t>(x >> 32);
}
constexpr uint32_t Low(uint64_t x) {
  return static_cast<uint32_t>(x);
}

}  // namespace

std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{kMultiplier0} * counter[0];
    const uint64_t product1 = uint64_t{kMultiplier1} * counter[2];
    counter = {High(product1) ^ counter[1] ^ key[0],
               Low(product1),
               High(product0) ^ counter[3] ^ key[1],
               Low(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

uint64_t CounterRng::Bits(uint64_t index) const {
  const std::array<uint32_t, 4> block =
      Philox4x32({Low(index), High(index), Low(stream_), High(stream_)}, {Low(seed_), High(seed_)});
  return (uint64_t{block[1]} << 32) | block[0];
}

double CounterRng::Uniform(uint64_t index) const {
  return static_cast<double>(Bits(index) >> 11) * 0x1.0p-53;
}

uint64_t CounterRng::Below(uint64_t n, uint64_t index) const {
  DET_CHECK(n > 0);
  // The largest multiple of n that fits: draws at or above it would favour small results. Each
  // retry is less likely than one half; retries use counters no plain index reaches.
  const uint64_t limit = ~uint64_t{0} - (~uint64_t{0} % n + 1) % n;
  for (uint64_t attempt = 0;; ++attempt) {
    const uint64_t bits = Bits(index + (attempt << 48));
    if (bits <= limit) return bits % n;
  }
}

uint64_t StreamId(std::string_view purpose, uint64_t a, uint64_t b, std::string_view name) {
  StableHasher hasher;
  hasher.Feed(purpose);
  hasher.Feed(a);
  hasher.Feed(b);
  hasher.Feed(name);
  return hasher.Finish();
}

}  // namespace det
