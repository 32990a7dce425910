#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/format/style.h"

namespace det::cli {

// A line of a plot: points by their x, finite or not (what is not is left out).
struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;
};

struct PlotSize {
  int width = 80;   // columns, axes and all
  int height = 20;  // rows, axes and legend too
};

// Draws the series in dots of braille, or in ASCII where the terminal has no UTF-8, with axes and a
// legend; each series has a colour, and in ASCII a letter. Lines end with a line feed. Nothing to
// draw gives "".
std::string PlotText(const std::vector<Series>& series,
                     const std::string& x_label,
                     PlotSize size,
                     const Terminal& terminal);

}  // namespace det::cli
