#include "cli/top/screen.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "cli/format/escape.h"
#include "cli/format/quantity.h"
#include "cli/format/table.h"
#include "cli/format/width.h"
#include "cli/view/cluster_view.h"
#include "cli/view/trial_view.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

constexpr int kHeadLines = 4;

// "███████░░░ 70%" or "[#######...] 70%".
std::string Bar(double part, int width, const Terminal& terminal) {
  const double clamped = std::isfinite(part) ? std::clamp(part, 0.0, 1.0) : 0;
  const int full = static_cast<int>(clamped * width);
  std::string done;
  std::string left;
  for (int i = 0; i < full; ++i) done.append(terminal.utf8 ? "█" : "#");
  for (int i = full; i < width; ++i) left.append(terminal.utf8 ? "░" : ".");
  return StrCat(Paint(done, Style::kGreen, terminal.color),
                Paint(left, Style::kDim, terminal.color),
                " ",
                PercentText(clamped));
}

std::string Headline(const TopSnapshot& s, const Terminal& terminal, absl::Time now) {
  const std::string text =
      StrCat("det top  ", s.address, "  ", s.cluster.user(), "  ", Rfc3339Seconds(now));
  return Paint(
      Truncate(EscapeControls(text, Escape::kLine, terminal.utf8), terminal.width, terminal.utf8),
      Style::kBold,
      terminal.color);
}

std::string SlotsLine(const TopSnapshot& s, const Terminal& terminal) {
  const int64_t used = s.cluster.slots() - s.cluster.slots_free();
  const double part = s.cluster.slots() == 0
                          ? 0
                          : static_cast<double>(used) / static_cast<double>(s.cluster.slots());
  const auto away = std::count_if(s.agents.begin(), s.agents.end(), [](const api::Agent& agent) {
    return agent.state() == "AWAY" || agent.state() == "LOST";
  });
  int64_t waiting = 0;
  for (const api::Job& job : s.jobs) waiting += job.slots_waiting();
  const int width = std::clamp(terminal.width / 4, 8, 40);
  const std::string rest = StrCat("  ",
                                  used,
                                  "/",
                                  s.cluster.slots(),
                                  " slots  ",
                                  Count(s.cluster.agents(), "agent"),
                                  away > 0 ? StrCat(", ", away, " away") : "",
                                  "  ",
                                  waiting,
                                  " slots waited for");
  return StrCat(Bar(part, width, terminal),
                Truncate(rest, std::max(0, terminal.width - width - 5), terminal.utf8));
}

std::string Tabs(const TopSnapshot& s, const TopView& view, const Terminal& terminal) {
  const std::pair<TopView::Pane, std::string> tabs[] = {
      {TopView::Pane::kTrials, StrCat("1 trials (", s.trials.size(), ")")},
      {TopView::Pane::kJobs, StrCat("2 queue (", s.jobs.size(), ")")},
      {TopView::Pane::kAgents, StrCat("3 agents (", s.agents.size(), ")")}};
  std::string out;
  std::string plain;
  for (const auto& [pane, name] : tabs) {
    const bool chosen = pane == view.pane;
    const std::string label = chosen ? StrCat("[", name, "]") : StrCat(" ", name, " ");
    const std::string_view gap = plain.empty() ? "" : "  ";
    StrAppend(plain, gap, label);
    StrAppend(out, gap, Paint(label, chosen ? Style::kCyan : Style::kDim, terminal.color));
  }
  const bool fits = DisplayWidth(plain) <= terminal.width;
  return fits ? out : Truncate(plain, terminal.width, terminal.utf8);
}

Table PaneTable(const TopSnapshot& snapshot, const TopView& view) {
  switch (view.pane) {
    case TopView::Pane::kJobs:
      return JobTable(snapshot.jobs);
    case TopView::Pane::kAgents:
      return AgentTable(snapshot.agents);
    case TopView::Pane::kTrials:
      break;
  }
  Table table = TrialTable(snapshot.trials);
  for (Column& column : table.columns) {
    if (column.name == "experiment") column.visible = Visible::kAlways;
    if (column.name == "restarts") column.visible = Visible::kMachines;
  }
  return table;
}

std::vector<std::string> SplitLines(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

std::string Foot(const TopSnapshot& s, const TopView& view, const Terminal& terminal) {
  std::string text = "q quit  1 2 3 or tab: panes  j k arrows: move  / filter";
  Style style = Style::kDim;
  if (view.typing) {
    text = StrCat("/", view.filter, terminal.utf8 ? "▏" : "_");
    style = Style::kPlain;
  } else if (!view.filter_fault.empty()) {
    text = StrCat("filter: ", view.filter_fault);
    style = Style::kRed;
  } else if (!s.fault.empty()) {
    text = s.fault;
    style = Style::kRed;
  } else if (!view.filter.empty()) {
    text = StrCat("filter: ", view.filter, "  (/ changes it, escape clears it)");
  }
  return Paint(
      Truncate(EscapeControls(text, Escape::kLine, terminal.utf8), terminal.width, terminal.utf8),
      style,
      terminal.color);
}

std::string Selected(const std::string& line, const Terminal& terminal) {
  const int width = DisplayWidth(line);
  const std::string padding(static_cast<size_t>(std::max(0, terminal.width - width)), ' ');
  return StrCat("\x1b[7m", line, padding, "\x1b[0m");
}

}  // namespace

int RowsOf(const TopSnapshot& snapshot, const TopView& view) {
  switch (view.pane) {
    case TopView::Pane::kJobs:
      return static_cast<int>(snapshot.jobs.size());
    case TopView::Pane::kAgents:
      return static_cast<int>(snapshot.agents.size());
    case TopView::Pane::kTrials:
      break;
  }
  return static_cast<int>(snapshot.trials.size());
}

std::vector<std::string> TopScreen(const TopSnapshot& snapshot,
                                   const TopView& view,
                                   const Terminal& terminal,
                                   absl::Time now) {
  std::vector<std::string> lines = {Headline(snapshot, terminal, now),
                                    SlotsLine(snapshot, terminal),
                                    "",
                                    Tabs(snapshot, view, terminal)};
  Table table = PaneTable(snapshot, view);
  // Without columns to choose there is nothing to go wrong.
  if (!Arrange({}, true, &table).ok()) return lines;
  const int rows = static_cast<int>(table.rows.size());
  const int room = std::max(1, terminal.height - kHeadLines - 2);
  const int selected = std::clamp(view.selected, 0, std::max(0, rows - 1));
  const int first = std::clamp(selected - room / 2, 0, std::max(0, rows - room));
  // The row that is selected has its colours turned around: none of its own.
  const std::vector<std::string> painted = SplitLines(TableText(table, true, terminal, now));
  Terminal plain_terminal = terminal;
  plain_terminal.color = false;
  const std::vector<std::string> plain = SplitLines(TableText(table, true, plain_terminal, now));
  lines.push_back(painted.empty() ? "" : painted[0]);
  for (int row = first; row < std::min(rows, first + room); ++row) {
    const auto at = static_cast<size_t>(row) + 1;
    lines.push_back(row == selected ? Selected(plain[at], terminal) : painted[at]);
  }
  if (rows == 0) lines.push_back(Paint("nothing", Style::kDim, terminal.color));
  while (static_cast<int>(lines.size()) < terminal.height - 1) lines.emplace_back();
  lines.resize(static_cast<size_t>(std::max(1, terminal.height - 1)));
  lines.push_back(Foot(snapshot, view, terminal));
  return lines;
}

bool OnKey(const std::string& key, int rows, int page, TopView* view) {
  if (view->typing) {
    if (key == "quit") return false;
    if (key == "enter") view->typing = false;
    if (key == "escape") {
      view->typing = false;
      view->filter.clear();
    }
    if (key == "backspace" && !view->filter.empty()) view->filter.pop_back();
    if (key.size() == 1 && static_cast<unsigned char>(key[0]) >= 0x20) view->filter += key;
    return true;
  }
  const auto show = [&](TopView::Pane pane) {
    if (view->pane != pane) *view = TopView{.pane = pane};
  };
  if (key == "q" || key == "quit") return false;
  if (key == "1") show(TopView::Pane::kTrials);
  if (key == "2") show(TopView::Pane::kJobs);
  if (key == "3") show(TopView::Pane::kAgents);
  if (key == "\t") show(static_cast<TopView::Pane>((static_cast<int>(view->pane) + 1) % 3));
  if (key == "j" || key == "down") ++view->selected;
  if (key == "k" || key == "up") --view->selected;
  if (key == "pagedown" || key == " ") view->selected += page;
  if (key == "pageup") view->selected -= page;
  if (key == "g" || key == "home") view->selected = 0;
  if (key == "G" || key == "end") view->selected = rows;
  if (key == "/") view->typing = true;
  if (key == "escape") view->filter.clear();
  view->selected = std::clamp(view->selected, 0, std::max(0, rows - 1));
  return true;
}

}  // namespace det::cli
