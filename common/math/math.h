#pragma once

// Elementary functions built from +, -, *, / alone, which IEEE 754 fixes to the last bit: the same
// search on every machine and C library. Pure. Errors below 2 units in the last place for the
// arguments that searches use; checked against the C library in the tests.
namespace det::math {

// e^x. Overflows to infinity above about 709.78, underflows to 0 below about -745.13.
double Exp(double x);

// Natural logarithm. Log(0) is -infinity, of a negative number NaN.
double Log(double x);

// base^x for base > 0. Whole x up to 64 in size are multiplied out, so 10^-3 is exactly the double
// nearest 0.001.
double Pow(double base, double x);

// Rounds half away from zero.
double Round(double x);

}  // namespace det::math
