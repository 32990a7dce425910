#include "cli/follow/frame.h"

#include <algorithm>
#include <cmath>

#include "cli/format/cell.h"
#include "cli/format/escape.h"
#include "cli/format/quantity.h"
#include "cli/format/table.h"
#include "cli/format/width.h"
#include "common/base/strings.h"

namespace det::cli::follow {
namespace {

constexpr int kWidthMin = 40;
constexpr int kBarOfTrial = 10;
constexpr int kWideEnough = 100;  // for the agents and hyperparameters of trials

// A line put together from pieces, cut where the terminal ends.
class Line {
 public:
  explicit Line(const Terminal& terminal) : terminal_(terminal) {}

  Line& Add(std::string_view text, Style style = Style::kPlain) {
    const std::string safe = EscapeControls(text, Escape::kLine, terminal_.utf8);
    const int room = terminal_.width - width_;
    if (room <= 0) return *this;
    const std::string cut = Truncate(safe, room, terminal_.utf8);
    width_ += DisplayWidth(cut);
    text_.append(Paint(cut, style, terminal_.color));
    return *this;
  }
  // Puts `text` at the right end, when it still has room there.
  Line& AddAtEnd(const std::string& text, Style style) {
    const int gap = terminal_.width - width_ - DisplayWidth(text);
    if (gap < 2) return *this;
    Add(std::string(static_cast<size_t>(gap), ' '));
    return Add(text, style);
  }
  std::string Take() { return std::move(text_); }

 private:
  const Terminal& terminal_;
  int width_ = 0;
  std::string text_;
};

class FrameBuilder {
 public:
  FrameBuilder(const Snapshot& snapshot, const FrameOptions& options)
      : snapshot_(snapshot), now_(options.now), notice_(options.notice) {
    terminal_ = options.terminal;
    terminal_.tty = true;
    terminal_.width = std::max(kWidthMin, terminal_.width);
  }

  std::vector<std::string> Build() {
    Header();
    Search();
    Trials();
    Best();
    if (snapshot_.running.empty()) Why();
    if (!snapshot_.running.empty()) Running();
    if (!notice_.empty()) lines_.push_back(Labelled("").Add(notice_, Style::kYellow).Take());
    return std::move(lines_);
  }

 private:
  Line Labelled(std::string_view label) {
    Line line(terminal_);
    line.Add(StrCat("  ", PadRight(label, 8)), Style::kDim);
    return line;
  }

  void Header() {
    const absl::Time end = snapshot_.ended.value_or(now_);
    lines_.push_back(Line(terminal_)
                         .Add(StrCat("experiment ", snapshot_.experiment), Style::kBold)
                         .Add("  ")
                         .Add(snapshot_.state, StateStyle(snapshot_.state))
                         .Add(snapshot_.name.empty() ? "" : "  ")
                         .Add(snapshot_.name)
                         .AddAtEnd(DurationText(end - snapshot_.created), Style::kDim)
                         .Take());
  }

  void Search() {
    // The bar gives way to the percentage and the time left, which are of a fixed width.
    const int width = std::clamp(terminal_.width - 40, 10, 40);
    Line line = Labelled("search");
    line.Add(Bar(snapshot_.progress, width, terminal_.utf8), Style::kGreen)
        .Add(StrCat(" ", PadLeft(PercentText(snapshot_.progress), 4)));
    if (snapshot_.seconds_left.has_value() && std::isfinite(*snapshot_.seconds_left)) {
      line.Add(StrCat("  about ", DurationText(absl::Seconds(*snapshot_.seconds_left)), " left"));
    }
    lines_.push_back(line.Take());
  }

  void Trials() {
    lines_.push_back(Labelled("trials")
                         .Add(StrCat(snapshot_.trials_closed, " done"))
                         .Add("  ")
                         .Add(StrCat(snapshot_.running.size(), " running"), Style::kGreen)
                         .Add("  ")
                         .Add(StrCat(snapshot_.trials_waiting, " waiting"), Style::kCyan)
                         .Take());
  }

  void Best() {
    Line line = Labelled("best");
    if (!snapshot_.best_metric.has_value()) {
      lines_.push_back(line.Add("no validation yet", Style::kDim).Take());
      return;
    }
    line.Add(MetricText(*snapshot_.best_metric), Style::kBold).Add(" ").Add(snapshot_.metric);
    if (snapshot_.best_trial.has_value()) {
      line.Add(StrCat("  trial ", *snapshot_.best_trial, " at ", snapshot_.best_steps, " batches"));
    }
    lines_.push_back(line.Take());
  }

  void Why() {
    if (snapshot_.reason.empty()) return;
    lines_.push_back(Labelled("why").Add(snapshot_.reason).Take());
  }

  Table TrialsTable() const {
    const bool wide = terminal_.width >= kWideEnough;
    Table table{.columns = {{"trial", Align::kRight},
                            {"state"},
                            {"latest", Align::kRight},
                            {"best", Align::kRight},
                            {"batches", Align::kRight},
                            {"progress"}}};
    if (wide) {
      table.columns.push_back({.name = "agent", .shrinks = true});
      table.columns.push_back({.name = "hparams", .shrinks = true});
    }
    for (const TrialSnapshot& trial : snapshot_.running) {
      const auto metric = [](std::optional<double> value) {
        return NumberCell(value.has_value(), value.value_or(0));
      };
      std::vector<Cell> row = {trial.id,
                               StateName{trial.state},
                               metric(trial.latest),
                               metric(trial.best),
                               trial.steps,
                               ProgressText(trial.progress)};
      if (wide) {
        row.push_back(TextCell(trial.agent));
        row.push_back(TextCell(trial.hparams));
      }
      table.rows.push_back(std::move(row));
    }
    return table;
  }

  std::string ProgressText(double progress) const {
    return StrCat(
        Bar(progress, kBarOfTrial, terminal_.utf8), " ", PadLeft(PercentText(progress), 4));
  }

  void Running() {
    Table table = TrialsTable();
    // An empty line, the header, and a line for those left out, besides what stands above.
    const int room = terminal_.height - 1 - static_cast<int>(lines_.size()) - 3;
    const size_t shown = std::min(table.rows.size(), static_cast<size_t>(std::max(1, room)));
    const size_t left_out = table.rows.size() - shown;
    table.rows.resize(shown);
    lines_.emplace_back();
    std::string text = TableText(table, true, terminal_, now_);
    while (!text.empty()) {
      const size_t end = text.find('\n');
      lines_.push_back(text.substr(0, end));
      text.erase(0, end + 1);
    }
    if (left_out > 0) {
      lines_.push_back(Line(terminal_).Add(StrCat("and ", left_out, " more"), Style::kDim).Take());
    }
  }

  const Snapshot& snapshot_;
  const absl::Time now_;
  const std::string& notice_;
  Terminal terminal_;
  std::vector<std::string> lines_;
};

}  // namespace

std::string Bar(double fraction, int width, bool utf8) {
  const double inside = std::isfinite(fraction) ? std::clamp(fraction, 0.0, 1.0) : 0.0;
  const int full = static_cast<int>(inside * width + 1e-9);
  std::string bar;
  for (int i = 0; i < width; ++i) {
    if (i < full) {
      bar.append(utf8 ? "\u2588" : "#");
    } else {
      bar.append(utf8 ? "\u2591" : "-");
    }
  }
  return bar;
}

std::vector<std::string> RenderFrame(const Snapshot& snapshot, const FrameOptions& options) {
  return FrameBuilder(snapshot, options).Build();
}

}  // namespace det::cli::follow
