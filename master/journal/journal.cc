#include "master/journal/journal.h"

#include <map>

#include "common/base/check.h"

namespace det::journal {
namespace {

// Keeps the last of equal keys, at the place of the first.
template <class T, class KeyFn>
void Replace(std::vector<T>& items, std::vector<T> more, KeyFn key) {
  std::map<decltype(key(items[0])), size_t> places;
  for (size_t i = 0; i < items.size(); ++i) places[key(items[i])] = i;
  for (T& item : more) {
    const auto [place, added] = places.emplace(key(item), items.size());
    if (added) {
      items.push_back(std::move(item));
    } else {
      items[place->second] = std::move(item);
    }
  }
}

}  // namespace

void Merge(Batch& batch, Batch more) {
  if (batch.events.empty()) {
    batch = std::move(more);
    return;
  }
  DET_CHECK(more.first_seq == batch.last_seq() + 1, "batches out of order");
  batch.events.insert(batch.events.end(),
                      std::make_move_iterator(more.events.begin()),
                      std::make_move_iterator(more.events.end()));
  batch.state_hash = more.state_hash;
  Replace(batch.rows, std::move(more.rows), [](const Row& row) {
    return std::pair(row.table, KeyOf(row));
  });
  Replace(batch.snapshots, std::move(more.snapshots), [](const SnapshotPart& part) {
    return part.key;
  });
  if (more.snapshot_floor != 0) batch.snapshot_floor = more.snapshot_floor;
}

}  // namespace det::journal
