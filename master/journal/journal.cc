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

int64_t BytesOf(const Value& value) {
  int64_t bytes = 8;
  if (value.is_string()) bytes += static_cast<int64_t>(value.as_string().size());
  if (value.is_array()) {
    for (const Value& item : value.as_array()) bytes += BytesOf(item);
  }
  if (value.is_object()) {
    for (const auto& [name, item] : value.as_object())
      bytes += static_cast<int64_t>(name.size()) + BytesOf(item);
  }
  return bytes;
}

}  // namespace

int64_t ApproximateBytes(const Batch& batch) {
  int64_t bytes = 0;
  for (const Row& row : batch.rows) bytes += BytesOf(row.values);
  for (const SnapshotPart& part : batch.snapshots)
    bytes += part.bytes.has_value() ? static_cast<int64_t>(part.bytes->size()) : 0;
  return bytes;
}

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
