#include "common/base/nearest.h"

#include <algorithm>
#include <cstdlib>

namespace det {

int EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::vector<int>> d(a.size() + 1, std::vector<int>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = static_cast<int>(i);
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const int change = a[i - 1] == b[j - 1] ? 0 : 1;
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

std::string Nearest(std::string_view word, const std::vector<std::string>& candidates) {
  constexpr int kDistanceMax = 2;
  std::string best;
  int best_distance = kDistanceMax + 1;
  for (const std::string& candidate : candidates) {
    const auto gap = static_cast<int64_t>(candidate.size()) - static_cast<int64_t>(word.size());
    if (std::abs(gap) > kDistanceMax) continue;
    const int distance = EditDistance(word, candidate);
    // A short word is within two changes of nearly anything: more than half of it must stay.
    if (distance < best_distance && distance * 2 < static_cast<int>(word.size()) + 1) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace det
