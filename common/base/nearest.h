#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace det {

// Damerau-Levenshtein distance (optimal string alignment): insertions, deletions, substitutions and
// swaps of neighbours. O(|a| |b|); callers bound the lengths.
int EditDistance(std::string_view a, std::string_view b);

// The candidate at distance 2 or less that is nearest to `word` (the first of equals), or "".
std::string Nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace det
