#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace det {

// One block of Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1,
// 2, 3", SC 2011): four random words, a pure function of key and counter.
std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// Counter-based randomness: every draw is f(seed, stream, index). There is no state to save, draws
// may be made in any order, and one stream never disturbs another. Pure; any thread.
class CounterRng {
 public:
  // A stream is named by what it is for, for example StreamId("hparam", trial, "optimizer.lr").
  CounterRng(uint64_t seed, uint64_t stream) : seed_(seed), stream_(stream) {}

  // 64 random bits.
  uint64_t Bits(uint64_t index) const;
  // Uniform in [0, 1), 53 bits.
  double Uniform(uint64_t index) const;
  // Uniform in [0, n), n > 0, without bias (rejection; each index owns enough draws).
  uint64_t Below(uint64_t n, uint64_t index) const;

 private:
  uint64_t seed_;
  uint64_t stream_;
};

// The stream for one purpose within numbered things.
uint64_t StreamId(std::string_view purpose, uint64_t a, uint64_t b, std::string_view name);

}  // namespace det
