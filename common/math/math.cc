#include "common/math/math.h"

#include <cmath>
#include <limits>

namespace det::math {
namespace {

// ln 2 in two parts: the high part has 32 trailing zero bits, so k * kLn2High is exact for |k| <
// 2^11.
constexpr double kLn2High = 6.93147180369123816490e-01;
constexpr double kLn2Low = 1.90821492927058770002e-10;
constexpr double kInverseLn2 = 1.44269504088896338700;
constexpr double kSqrtHalf = 0.70710678118654752440;

double WholePower(double base, int exponent) {
  double result = 1;
  double square = base;
  for (unsigned bits = static_cast<unsigned>(exponent); bits != 0; bits >>= 1) {
    if ((bits & 1U) != 0) result *= square;
    square *= square;
  }
  return result;
}

}  // namespace

double Exp(double x) {
  if (std::isnan(x)) return x;
  if (x > 709.782712893384) return std::numeric_limits<double>::infinity();
  if (x < -745.1332191019412) return 0;
  const double k = std::floor(x * kInverseLn2 + 0.5);
  const double r = (x - k * kLn2High) - k * kLn2Low;
  // Taylor's series in Horner form; |r| <= ln(2)/2, so the term of degree 14 is below 5e-18.
  double sum = 1;
  for (int n = 13; n >= 1; --n) sum = 1 + sum * r / n;
  return std::ldexp(sum, static_cast<int>(k));
}

double Log(double x) {
  if (std::isnan(x) || x < 0) return std::numeric_limits<double>::quiet_NaN();
  if (x == 0) return -std::numeric_limits<double>::infinity();
  if (std::isinf(x)) return x;
  int exponent = 0;
  double mantissa = std::frexp(x, &exponent);
  if (mantissa < kSqrtHalf) {
    mantissa *= 2;
    --exponent;
  }
  const double f = mantissa - 1;
  // log(1 + f) = 2 atanh(s), s = f / (2 + f), |s| < 0.172: the term of degree 23 is below 1e-18.
  const double s = f / (2 + f);
  const double z = s * s;
  double sum = 0;
  for (int n = 21; n >= 3; n -= 2) sum = (sum + 2.0 / n) * z;
  // f - s * f + s * sum is 2s + s * sum with less rounding: 2s = f - s * f.
  const double tail = s * (f - sum);
  return exponent * kLn2High + (f - (tail - exponent * kLn2Low));
}

double Pow(double base, double x) {
  if (x == std::floor(x) && std::fabs(x) <= 64) {
    const int n = static_cast<int>(x);
    return n >= 0 ? WholePower(base, n) : 1 / WholePower(base, -n);
  }
  return Exp(x * Log(base));
}

double Round(double x) {
  return x < 0 ? -std::floor(0.5 - x) : std::floor(x + 0.5);
}

}  // namespace det::math
