#pragma once

#include <bit>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/time.h"

#include "common/base/hash.h"
#include "common/base/strong_id.h"
#include "common/base/value.h"

// A compact binary form of plain structs, written and read by one description of their fields:
//
//   template <class A> void Fields(A& a, Trial& trial) { a(trial.id, trial.state, trial.hparams); }
//
// The same description gives state hashes. It is for data that may be thrown away and rebuilt
// (snapshots, hashes) or that one program version writes and reads itself; records that must
// outlive releases are protobuf messages. Reading never trusts its input: a bad byte ends in ok()
// == false.
namespace det {

class ArchiveWriter {
 public:
  static constexpr bool kReading = false;

  template <class... Ts>
  ArchiveWriter& operator()(Ts&... fields);

  void Uint(uint64_t x) {
    for (; x >= 0x80; x >>= 7) out_.push_back(static_cast<char>(x | 0x80));
    out_.push_back(static_cast<char>(x));
  }
  void Bytes(std::string_view bytes) {
    Uint(bytes.size());
    out_.append(bytes);
  }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

class ArchiveReader {
 public:
  static constexpr bool kReading = true;
  static constexpr int kDepthMax = 200;

  explicit ArchiveReader(std::string_view in) : in_(in) {}

  template <class... Ts>
  ArchiveReader& operator()(Ts&... fields);

  uint64_t Uint() {
    uint64_t x = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (in_.empty()) return Fail();
      const auto byte = static_cast<unsigned char>(in_.front());
      in_.remove_prefix(1);
      x |= uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return x;
    }
    return Fail();
  }
  // A count of things that each take a byte or more: never above what is left to read.
  size_t Count() {
    const uint64_t count = Uint();
    return count > in_.size() ? Fail() : static_cast<size_t>(count);
  }
  std::string_view Bytes() {
    const size_t size = Count();
    const std::string_view bytes = in_.substr(0, size);
    in_.remove_prefix(size);
    return bytes;
  }
  bool ok() const { return ok_; }
  // Everything was read and nothing was wrong.
  bool Done() const { return ok_ && in_.empty(); }
  unsigned Fail() {
    ok_ = false;
    in_ = {};
    return 0;
  }
  int depth = 0;

 private:
  std::string_view in_;
  bool ok_ = true;
};

namespace archive_internal {

template <class T>
struct IsId : std::false_type {};
template <class Tag>
struct IsId<StrongId<Tag>> : std::true_type {};
template <class T>
struct IsName : std::false_type {};
template <class Tag>
struct IsName<StrongName<Tag>> : std::true_type {};

template <class A, class T>
void Io(A& a, T& x);

template <class A>
void Signed(A& a, int64_t& x) {
  if constexpr (A::kReading) {
    const uint64_t z = a.Uint();
    x = static_cast<int64_t>(z >> 1) ^ -static_cast<int64_t>(z & 1);
  } else {
    a.Uint((static_cast<uint64_t>(x) << 1) ^ static_cast<uint64_t>(x >> 63));
  }
}

template <class A, class T>
void Whole(A& a, T& x) {
  int64_t wide = static_cast<int64_t>(x);
  Signed(a, wide);
  if constexpr (A::kReading) x = static_cast<T>(wide);
}

template <class A, class Sequence>
void IoSequence(A& a, Sequence& items) {
  if constexpr (A::kReading) {
    items.clear();
    const size_t count = a.Count();
    for (size_t i = 0; i < count && a.ok(); ++i) {
      typename Sequence::value_type item{};
      Io(a, item);
      items.insert(items.end(), std::move(item));
    }
  } else {
    a.Uint(items.size());
    for (auto& item : items)
      Io(a, const_cast<std::remove_const_t<std::remove_reference_t<decltype(item)>>&>(item));
  }
}

template <class A, class Map>
void IoMap(A& a, Map& map) {
  if constexpr (A::kReading) {
    map.clear();
    const size_t count = a.Count();
    for (size_t i = 0; i < count && a.ok(); ++i) {
      typename Map::key_type key{};
      Io(a, key);
      Io(a, map[std::move(key)]);
    }
  } else {
    a.Uint(map.size());
    for (auto& [key, value] : map) {
      Io(a, const_cast<typename Map::key_type&>(key));
      Io(a, value);
    }
  }
}

template <class A>
void IoValue(A& a, Value& value) {
  int kind = value.is_null()     ? 0
             : value.is_bool()   ? 1
             : value.is_int()    ? 2
             : value.is_double() ? 3
             : value.is_string() ? 4
             : value.is_array()  ? 5
                                 : 6;
  Whole(a, kind);
  const auto member = [&](auto sample) {
    if constexpr (A::kReading) {
      Io(a, sample);
      value = Value(std::move(sample));
    } else {
      Io(a, sample);
    }
  };
  if constexpr (A::kReading) {
    if (++a.depth > A::kDepthMax || kind < 0 || kind > 6) a.Fail();
    value = Value();
    if (!a.ok()) return;
    if (kind == 1) member(false);
    if (kind == 2) member(int64_t{0});
    if (kind == 3) member(0.0);
    if (kind == 4) member(std::string());
    if (kind == 5) member(Value::Array());
    if (kind == 6) member(Value::Object());
    --a.depth;
  } else {
    if (kind == 1) member(value.as_bool());
    if (kind == 2) member(value.as_int());
    if (kind == 3) member(value.as_double());
    if (kind == 4) a.Bytes(value.as_string());
    if (kind == 5) IoSequence(a, value.as_array());
    if (kind == 6) IoMap(a, value.as_object());
  }
}

template <class A, class Variant, size_t... Is>
void IoVariant(A& a, Variant& variant, std::index_sequence<Is...>) {
  size_t index = variant.index();
  Whole(a, index);
  if constexpr (A::kReading) {
    if (index >= sizeof...(Is)) {
      a.Fail();
      return;
    }
    ((index == Is ? static_cast<void>(variant.template emplace<Is>()) : static_cast<void>(0)), ...);
  }
  std::visit([&](auto& alternative) { Io(a, alternative); }, variant);
}

template <class A, class T>
void IoOptional(A& a, std::optional<T>& optional) {
  bool present = optional.has_value();
  Whole(a, present);
  if constexpr (A::kReading) {
    optional.reset();
    if (present && a.ok()) optional.emplace();
  }
  if (optional.has_value()) Io(a, *optional);
}

template <class>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class>
struct IsVariant : std::false_type {};
template <class... Ts>
struct IsVariant<std::variant<Ts...>> : std::true_type {};
template <class T>
concept MapLike = requires {
  typename T::key_type;
  typename T::mapped_type;
};
template <class T>
concept SequenceLike = requires(T t) {
  typename T::value_type;
  t.insert(t.end(), typename T::value_type{});
};
template <class T>
struct IsPair : std::false_type {};
template <class X, class Y>
struct IsPair<std::pair<X, Y>> : std::true_type {};

template <class A, class T>
void IoScalar(A& a, T& x) {
  if constexpr (std::is_same_v<T, double>) {
    uint64_t bits = std::bit_cast<uint64_t>(x);
    if constexpr (A::kReading) {
      x = std::bit_cast<double>(a.Uint());
    } else {
      a.Uint(bits);
    }
  } else if constexpr (std::is_same_v<T, absl::Time>) {
    int64_t nanos = absl::ToUnixNanos(x);  // the infinities are the two ends
    Signed(a, nanos);
    if constexpr (A::kReading) {
      x = nanos == INT64_MAX   ? absl::InfiniteFuture()
          : nanos == INT64_MIN ? absl::InfinitePast()
                               : absl::FromUnixNanos(nanos);
    }
  } else {
    int64_t nanos = absl::ToInt64Nanoseconds(x);
    Signed(a, nanos);
    if constexpr (A::kReading) x = absl::Nanoseconds(nanos);
  }
}

template <class A, class T>
void IoText(A& a, T& x) {
  if constexpr (IsName<T>::value) {
    if constexpr (A::kReading) {
      x = T(std::string(a.Bytes()));
    } else {
      a.Bytes(x.value());
    }
  } else if constexpr (A::kReading) {
    x = T(a.Bytes());
  } else {
    a.Bytes(x);
  }
}

template <class A, class T>
void Io(A& a, T& x) {
  if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
    Whole(a, x);
  } else if constexpr (std::is_same_v<T, double> || std::is_same_v<T, absl::Time> ||
                       std::is_same_v<T, absl::Duration>) {
    IoScalar(a, x);
  } else if constexpr (std::is_same_v<T, std::string> || IsName<T>::value) {
    IoText(a, x);
  } else if constexpr (std::is_same_v<T, Value>) {
    IoValue(a, x);
  } else if constexpr (IsId<T>::value) {
    int64_t id = x.value();
    Signed(a, id);
    if constexpr (A::kReading) x = T(id);
  } else if constexpr (IsOptional<T>::value) {
    IoOptional(a, x);
  } else if constexpr (IsVariant<T>::value) {
    IoVariant(a, x, std::make_index_sequence<std::variant_size_v<T>>());
  } else if constexpr (IsPair<T>::value) {
    Io(a, x.first);
    Io(a, x.second);
  } else if constexpr (MapLike<T>) {
    IoMap(a, x);
  } else if constexpr (SequenceLike<T>) {
    IoSequence(a, x);
  } else if constexpr (!std::is_same_v<T, std::monostate>) {
    Fields(a, x);
  }
}

}  // namespace archive_internal

template <class... Ts>
ArchiveWriter& ArchiveWriter::operator()(Ts&... fields) {
  (archive_internal::Io(*this, fields), ...);
  return *this;
}

template <class... Ts>
ArchiveReader& ArchiveReader::operator()(Ts&... fields) {
  (archive_internal::Io(*this, fields), ...);
  return *this;
}

template <class T>
std::string EncodeArchive(const T& x) {
  ArchiveWriter writer;
  // Writing reads only; one non-const description serves both directions.
  writer(const_cast<T&>(x));
  return writer.Take();
}

// False when the bytes are not exactly one T.
template <class T>
bool DecodeArchive(std::string_view bytes, T* x) {
  ArchiveReader reader(bytes);
  reader(*x);
  return reader.Done();
}

template <class T>
uint64_t ArchiveHash(const T& x) {
  return StableHash(EncodeArchive(x));
}

}  // namespace det
