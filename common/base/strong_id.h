#pragma once

#include <compare>
#include <cstdint>
#include <ostream>
#include <string>
#include <utility>

namespace det {

// An integer that names one kind of thing; ids of two kinds never mix. 0 means none; ids begin
// at 1.
template <class Tag>
class StrongId {
 public:
  constexpr StrongId() = default;
  constexpr explicit StrongId(int64_t value) : value_(value) {}

  constexpr int64_t value() const { return value_; }
  constexpr bool valid() const { return value_ > 0; }
  std::string ToString() const { return std::to_string(value_); }

  friend constexpr auto operator<=>(const StrongId&, const StrongId&) = default;
  template <class H>
  friend H AbslHashValue(H h, const StrongId& id) {
    return H::combine(std::move(h), id.value_);
  }
  friend std::ostream& operator<<(std::ostream& out, const StrongId& id) {
    return out << id.value_;
  }

 private:
  int64_t value_ = 0;
};

// The same for names.
template <class Tag>
class StrongName {
 public:
  StrongName() = default;
  explicit StrongName(std::string value) : value_(std::move(value)) {}

  const std::string& value() const { return value_; }
  bool empty() const { return value_.empty(); }

  friend auto operator<=>(const StrongName&, const StrongName&) = default;
  template <class H>
  friend H AbslHashValue(H h, const StrongName& name) {
    return H::combine(std::move(h), name.value_);
  }
  friend std::ostream& operator<<(std::ostream& out, const StrongName& name) {
    return out << name.value_;
  }

 private:
  std::string value_;
};

}  // namespace det
