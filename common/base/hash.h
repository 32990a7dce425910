#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

// Hashes whose values are part of durable formats: the same on every machine, for ever.
namespace det {

// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection that mixes every bit.
constexpr uint64_t Mix64(uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// FNV-1a, 64 bits, finished by Mix64.
constexpr uint64_t StableHash(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : bytes) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  return Mix64(hash);
}

// Order matters: feeding a then b differs from b then a.
class StableHasher {
 public:
  void Feed(uint64_t x) { hash_ = Mix64(hash_ ^ x) + 0x632be59bd9b4e019ULL; }
  void Feed(std::string_view bytes) {
    Feed(static_cast<uint64_t>(bytes.size()));
    Feed(StableHash(bytes));
  }
  void Feed(double x) { Feed(std::bit_cast<uint64_t>(x)); }
  uint64_t Finish() const { return Mix64(hash_); }

 private:
  uint64_t hash_ = 0x2545f4914f6cdd1dULL;
};

}  // namespace det
