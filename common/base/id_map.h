#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "common/base/check.h"

namespace det {

// Values by StrongId, found in constant time. It can't be iterated, so that nothing depends on the
// order of hashing: what has to go over all of them keeps an ordered container. A pointer to a
// value holds until the next change of the map. One thread.
//
// Open addressing with linear probing, at most half full; what is erased leaves no mark (Knuth,
// "The Art of Computer Programming" 3, 6.4, algorithm R).
template <class Id, class Value>
class IdMap {
 public:
  size_t size() const { return size_; }
  bool Contains(Id id) const { return Find(id) != nullptr; }

  // nullptr: it is not there.
  const Value* Find(Id id) const {
    if (size_ == 0 || !id.valid()) return nullptr;
    const Entry& entry = entries_[PlaceOf(id)];
    return entry.id == id ? &entry.value : nullptr;
  }
  Value* Find(Id id) { return const_cast<Value*>(std::as_const(*this).Find(id)); }

  // Its value; a new one where there is none.
  Value& operator[](Id id) {
    DET_CHECK(id.valid(), "ids begin at 1");
    if (2 * (size_ + 1) > entries_.size()) Grow();
    Entry& entry = entries_[PlaceOf(id)];
    if (entry.id == id) return entry.value;
    entry.id = id;
    ++size_;
    return entry.value;
  }

  // Takes the value out; a new one when it is not there.
  Value Take(Id id) {
    if (!Contains(id)) return Value();
    size_t hole = PlaceOf(id);
    Value value = std::move(entries_[hole].value);
    for (size_t at = Next(hole); entries_[at].id.valid(); at = Next(at)) {
      // It may move to the hole when that is not before where its search begins.
      const size_t behind = (at - HomeOf(entries_[at].id)) & (entries_.size() - 1);
      if (behind < ((at - hole) & (entries_.size() - 1))) continue;
      entries_[hole] = std::move(entries_[at]);
      hole = at;
    }
    entries_[hole] = Entry();
    --size_;
    return value;
  }

 private:
  struct Entry {
    Id id;
    Value value{};
  };
  static constexpr size_t kFirstBits = 4;

  // Multiplication by the golden ratio scatters ids that follow each other.
  size_t HomeOf(Id id) const {
    return static_cast<size_t>((static_cast<uint64_t>(id.value()) * 0x9E3779B97F4A7C15u) >>
                               (64 - bits_));
  }
  size_t Next(size_t at) const { return (at + 1) & (entries_.size() - 1); }
  // Where it is, or would be.
  size_t PlaceOf(Id id) const {
    size_t at = HomeOf(id);
    while (entries_[at].id.valid() && entries_[at].id != id) at = Next(at);
    return at;
  }
  void Grow() {
    bits_ = entries_.empty() ? kFirstBits : bits_ + 1;
    std::vector<Entry> before(size_t{1} << bits_);
    before.swap(entries_);
    for (Entry& entry : before) {
      if (entry.id.valid()) entries_[PlaceOf(entry.id)] = std::move(entry);
    }
  }

  std::vector<Entry> entries_;
  size_t bits_ = 0;
  size_t size_ = 0;
};

}  // namespace det
