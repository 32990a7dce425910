#pragma once

#include <string>
#include <string_view>

// Orders as PostgreSQL has them, so that what is compared here and there compares alike.
namespace det::filter {

// <0, 0, >0. NaN equals itself and is above all else, as float8 has it.
inline int CompareNumbers(double a, double b) {
  const bool a_nan = a != a;
  const bool b_nan = b != b;
  if (a_nan || b_nan) return (a_nan ? 1 : 0) - (b_nan ? 1 : 0);
  return a < b ? -1 : a > b ? 1 : 0;
}

template <class T>
int CompareOrdered(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

// Capitals of ASCII made small, as lower() does by the collation "C".
inline std::string LowerAscii(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace det::filter
