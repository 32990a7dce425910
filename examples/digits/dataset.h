#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace digits {

inline constexpr int64_t kSide = 8;  // pixels
inline constexpr int64_t kClasses = 10;

struct Images {
  std::vector<float> pixels;  // kSide * kSide an image, row by row, from 0 to 1
  std::vector<int64_t> labels;
};

// Three parts that share no image: 60 %, 20 %, 20 %. Which image goes where never changes, so
// trials compare, and no trial ever sees the test images.
struct Dataset {
  Images training;
  Images validation;
  Images test;
};

// Reads digits.csv.gz: a line an image, 64 values from 0 to 16 and the label. Throws
// std::runtime_error.
Dataset ReadDataset(const std::string& path);

}  // namespace digits
