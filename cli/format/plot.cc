#include "cli/format/plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <optional>

#include "cli/format/escape.h"
#include "cli/format/quantity.h"
#include "cli/format/width.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

constexpr int kWidthMin = 30;
constexpr int kHeightMin = 6;
constexpr std::array<Style, 6> kStyles = {
    Style::kCyan, Style::kYellow, Style::kGreen, Style::kRed, Style::kBlue, Style::kBold};
constexpr std::string_view kMarks = "*o+x#@";

struct Range {
  double low = HUGE_VAL;
  double high = -HUGE_VAL;

  void Add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
  // A flat line lies in the middle.
  void Widen() {
    if (low < high) return;
    const double by = low == 0 ? 1 : std::abs(low) * 0.1;
    low -= by;
    high += by;
  }
  // 0 at low, 1 at high. Of halves, so that the ends of the type are no infinity apart.
  double Part(double value) const { return (value / 2 - low / 2) / (high / 2 - low / 2); }
  double At(double part) const { return low + (high / 2 - low / 2) * part * 2; }
};

bool Drawable(const std::pair<double, double>& point) {
  return std::isfinite(point.first) && std::isfinite(point.second);
}

// Dots, several to a character: 2 by 4 of braille, 1 by 1 of ASCII.
class Canvas {
 public:
  Canvas(int columns, int rows, bool utf8)
      : columns_(columns), rows_(rows), dots_x_(utf8 ? 2 : 1), dots_y_(utf8 ? 4 : 1), utf8_(utf8) {
    cells_.resize(static_cast<size_t>(columns) * static_cast<size_t>(rows));
  }
  int width() const { return columns_ * dots_x_; }
  int height() const { return rows_ * dots_y_; }

  // y counts from below.
  void Dot(int x, int y, size_t series) {
    if (x < 0 || y < 0 || x >= width() || y >= height()) return;
    const int down = height() - 1 - y;
    Cell& cell = cells_[static_cast<size_t>(down / dots_y_) * static_cast<size_t>(columns_) +
                        static_cast<size_t>(x / dots_x_)];
    static constexpr int kBits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    cell.bits |= utf8_ ? kBits[down % dots_y_][x % dots_x_] : 1;
    cell.series = series;
  }

  void Line(int x0, int y0, int x1, int y1, size_t series) {
    const int steps = std::max({std::abs(x1 - x0), std::abs(y1 - y0), 1});
    for (int i = 0; i <= steps; ++i) {
      Dot(x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps, series);
    }
  }

  std::string Row(int row, bool color) const {
    std::string out;
    for (int x = 0; x < columns_; ++x) {
      const Cell& cell =
          cells_[static_cast<size_t>(row) * static_cast<size_t>(columns_) + static_cast<size_t>(x)];
      std::string text = " ";
      if (cell.bits != 0 && utf8_) {
        text.clear();
        AppendUtf8(text, static_cast<char32_t>(0x2800 + cell.bits));
      } else if (cell.bits != 0) {
        text = kMarks[cell.series % kMarks.size()];
      }
      const Style style = kStyles[cell.series % kStyles.size()];
      out.append(cell.bits == 0 ? text : Paint(text, style, color));
    }
    return out;
  }

 private:
  struct Cell {
    int bits = 0;
    size_t series = 0;
  };
  const int columns_;
  const int rows_;
  const int dots_x_;
  const int dots_y_;
  const bool utf8_;
  std::vector<Cell> cells_;
};

class Plot {
 public:
  Plot(const std::vector<Series>& series, PlotSize size, const Terminal& terminal)
      : series_(series), terminal_(terminal) {
    for (const Series& line : series) {
      for (const auto& point : line.points) {
        if (!Drawable(point)) continue;
        x_.Add(point.first);
        y_.Add(point.second);
      }
    }
    if (x_.empty()) return;
    x_.Widen();
    y_.Widen();
    rows_ = std::max(size.height, kHeightMin) - 2 - static_cast<int>(series.size() > 0 ? 1 : 0);
    for (int row = 0; row < rows_; ++row) labels_.push_back(Label(row));
    for (const std::string& label : labels_) margin_ = std::max(margin_, DisplayWidth(label));
    columns_ = std::max(std::max(size.width, kWidthMin) - margin_ - 2, 10);
  }

  std::string Text(const std::string& x_label) const {
    if (x_.empty()) return "";
    Canvas canvas(columns_, rows_, terminal_.utf8);
    for (size_t i = 0; i < series_.size(); ++i) Draw(i, &canvas);
    std::string out;
    for (int row = 0; row < rows_; ++row) {
      const std::string& label = labels_[static_cast<size_t>(row)];
      const std::string tick =
          terminal_.utf8 ? (label.empty() ? "│" : "┤") : (label.empty() ? "|" : "+");
      std::string line =
          StrCat(PadLeft(label, margin_), " ", tick, canvas.Row(row, terminal_.color));
      line.erase(line.find_last_not_of(' ') + 1);
      StrAppend(out, line, "\n");
    }
    return StrCat(out, Axis(x_label), Legend());
  }

 private:
  // On every fourth row, the first and the last.
  std::string Label(int row) const {
    constexpr int kEvery = 4;
    if (row % kEvery != 0 && row != rows_ - 1) return "";
    if (row != rows_ - 1 && rows_ - 1 - row < kEvery / 2) return "";
    return ShortText(y_.At(1 - static_cast<double>(row) / std::max(rows_ - 1, 1)));
  }

  static std::string ShortText(double value) {
    char buffer[32];
    const int size = std::snprintf(buffer, sizeof(buffer), "%.4g", value);
    return std::string(buffer, static_cast<size_t>(size));
  }

  void Draw(size_t index, Canvas* canvas) const {
    std::vector<std::pair<double, double>> points;
    for (const auto& point : series_[index].points) {
      if (Drawable(point)) points.push_back(point);
    }
    std::stable_sort(points.begin(), points.end(), [](const auto& a, const auto& b) {
      return a.first < b.first;
    });
    std::optional<std::pair<int, int>> before;
    for (const auto& [x, y] : points) {
      const std::pair<int, int> at = {
          static_cast<int>(std::lround(x_.Part(x) * (canvas->width() - 1))),
          static_cast<int>(std::lround(y_.Part(y) * (canvas->height() - 1)))};
      const auto from = before.value_or(at);
      canvas->Line(from.first, from.second, at.first, at.second, index);
      before = at;
    }
  }

  std::string Axis(const std::string& x_label) const {
    std::string rule =
        StrCat(std::string(static_cast<size_t>(margin_) + 1, ' '), terminal_.utf8 ? "└" : "+");
    for (int i = 0; i < columns_; ++i) rule.append(terminal_.utf8 ? "─" : "-");
    const std::string left = ShortText(x_.low);
    std::string right = ShortText(x_.high);
    const std::string indent(static_cast<size_t>(margin_) + 2, ' ');
    int room = columns_ - DisplayWidth(left) - DisplayWidth(right);
    if (room < 1) {
      room += DisplayWidth(right);
      right.clear();
    }
    const std::string label = Truncate(x_label, std::max(room - 2, 0), terminal_.utf8);
    const int before = std::max(0, (room - DisplayWidth(label)) / 2);
    const int after = std::max(0, room - DisplayWidth(label) - before);
    return StrCat(rule,
                  "\n",
                  indent,
                  left,
                  std::string(static_cast<size_t>(before), ' '),
                  label,
                  std::string(static_cast<size_t>(after), ' '),
                  right,
                  "\n");
  }

  std::string Legend() const {
    std::string out(static_cast<size_t>(margin_) + 2, ' ');
    int room = columns_;
    for (size_t i = 0; i < series_.size() && room > 0; ++i) {
      const std::string mark = terminal_.utf8 ? "━" : std::string(1, kMarks[i % kMarks.size()]);
      const std::string gap = i == 0 ? "" : "   ";
      const bool utf8 = terminal_.utf8 || !terminal_.tty;
      const std::string name = Truncate(EscapeControls(series_[i].name, Escape::kLine, utf8),
                                        room - static_cast<int>(gap.size()) - 2,
                                        terminal_.utf8);
      if (name.empty()) break;
      StrAppend(out, gap, Paint(mark, kStyles[i % kStyles.size()], terminal_.color), " ", name);
      room -= static_cast<int>(gap.size()) + 2 + DisplayWidth(name);
    }
    return StrCat(out, "\n");
  }

  const std::vector<Series>& series_;
  const Terminal& terminal_;
  Range x_;
  Range y_;
  int rows_ = 0;
  int columns_ = 0;
  int margin_ = 0;
  std::vector<std::string> labels_;
};

}  // namespace

std::string PlotText(const std::vector<Series>& series,
                     const std::string& x_label,
                     PlotSize size,
                     const Terminal& terminal) {
  return Plot(series, size, terminal).Text(x_label);
}

}  // namespace det::cli
