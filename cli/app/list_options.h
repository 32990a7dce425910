#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "cli/app/command.h"

namespace det::cli {

class Context;

// What every verb that lists takes, as words.
struct ListWords {
  std::string filter;
  std::string since;
  std::vector<std::string> sort;
  std::optional<int64_t> limit;
  std::optional<int64_t> offset;
  bool all = false;
};

// How a list names its things and which of their times --since looks at; empty: there is none.
struct ListKind {
  std::string since;
  std::string example;  // of a filter
  int64_t limit = 100;
};

// The parameters that fill `words`.
std::vector<Param> ListParams(ListWords* words, const ListKind& kind);

// What the master is asked for.
struct ListAsk {
  std::string filter;
  std::vector<std::string> sort;
  int64_t limit = 100;
  int64_t offset = 0;  // of what would be shown, so many are left out at the front

  // How many to fetch for it.
  int64_t most() const { return limit > INT64_MAX - offset ? INT64_MAX : limit + offset; }
  // Leaves out those before the offset.
  template <class Item>
  void Cut(std::vector<Item>* items) const {
    const auto end = std::min<int64_t>(offset, static_cast<int64_t>(items->size()));
    items->erase(items->begin(), items->begin() + end);
  }

  // Puts filter and sort into a request of the API.
  template <class Request>
  void Fill(Request* request) const {
    request->set_filter(filter);
    for (const std::string& key : sort) request->add_sort(key);
  }
};

// Errors: INVALID_ARGUMENT (reason USAGE or BAD_FILTER).
absl::StatusOr<ListAsk> Understand(const ListWords& words, const ListKind& kind);

// Says that there are more things than were shown, where there are.
void NoteMore(Context& context, size_t shown, bool more);

}  // namespace det::cli
