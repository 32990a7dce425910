#include "cli/top/screen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/format/width.h"
#include "cli/testing/golden.h"
#include "cli/testing/sample_model.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

TopSnapshot Sample() {
  const Model model = SampleModel();
  TopSnapshot snapshot{.cluster = model.cluster,
                       .agents = model.agents,
                       .jobs = model.jobs,
                       .address = "127.0.0.1:8090"};
  for (const auto& [id, trial] : model.trials) snapshot.trials.push_back(trial);
  return snapshot;
}

std::string Text(const TopSnapshot& snapshot, const TopView& view, const Terminal& terminal) {
  return StrJoin(TopScreen(snapshot, view, terminal, SampleNow()), "\n") + "\n";
}

TEST(TopTest, ShowsEachPaneAtEachSize) {
  std::string text;
  for (const auto pane : {TopView::Pane::kTrials, TopView::Pane::kJobs, TopView::Pane::kAgents}) {
    for (const Terminal& terminal :
         {Terminal{.tty = true, .utf8 = true, .redraw = true, .width = 80, .height = 16},
          Terminal{.tty = true, .redraw = true, .width = 160, .height = 12}}) {
      StrAppend(text, Text(Sample(), {.pane = pane}, terminal), "----\n");
    }
  }
  ExpectGolden("top", text);
}

TEST(TopTest, FitsIntoAnyTerminal) {
  for (int width = 20; width < 200; width += 13) {
    for (int height = 3; height < 40; height += 5) {
      const Terminal terminal{.tty = true, .redraw = true, .width = width, .height = height};
      const auto lines = TopScreen(Sample(), {}, terminal, SampleNow());
      EXPECT_LE(static_cast<int>(lines.size()), std::max(height, 2));
      for (std::string line : lines) {
        for (const char* code : {"\x1b[7m", "\x1b[0m"}) {
          if (const size_t at = line.find(code); at != std::string::npos) {
            line.erase(at, std::string_view(code).size());
          }
        }
        EXPECT_LE(DisplayWidth(line), width) << line;
      }
    }
  }
}

TEST(TopTest, KeysMoveChooseAndFilter) {
  TopView view;
  EXPECT_TRUE(OnKey("j", 3, 10, &view));
  EXPECT_TRUE(OnKey("down", 3, 10, &view));
  EXPECT_TRUE(OnKey("down", 3, 10, &view));
  EXPECT_EQ(view.selected, 2);
  EXPECT_TRUE(OnKey("home", 3, 10, &view));
  EXPECT_EQ(view.selected, 0);
  OnKey("2", 3, 10, &view);
  EXPECT_EQ(view.pane, TopView::Pane::kJobs);
  for (const char* key : {"/", "q", "j", "backspace", "enter"}) {
    EXPECT_TRUE(OnKey(key, 3, 10, &view)) << key;
  }
  EXPECT_EQ(view.filter, "q");
  EXPECT_FALSE(view.typing);
  EXPECT_FALSE(OnKey("q", 3, 10, &view));
}

}  // namespace
}  // namespace det::cli
