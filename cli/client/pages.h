#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

#include "common/base/status.h"

namespace det::cli {

inline constexpr int64_t kPageMax = 1000;

// What a list gave, and whether there is more.
template <class Item>
struct Pages {
  std::vector<Item> items;
  bool more = false;
};

// Asks for page after page up to the limit: `fetch(most, items)` appends the next one, of so many
// items at most, and says whether another follows it.
template <class Item, class Fetch>
absl::StatusOr<Pages<Item>> FetchPages(int64_t limit, Fetch fetch, int64_t page_max = kPageMax) {
  Pages<Item> pages;
  do {
    const int64_t left = limit - static_cast<int64_t>(pages.items.size());
    DET_ASSIGN_OR_RETURN(pages.more,
                         fetch(static_cast<int32_t>(std::min(left, page_max)), &pages.items));
  } while (pages.more && static_cast<int64_t>(pages.items.size()) < limit);
  return pages;
}

// Appends a page's repeated field.
template <class Field, class Item>
void Append(const Field& page, std::vector<Item>* items) {
  items->insert(items->end(), page.begin(), page.end());
}

}  // namespace det::cli
