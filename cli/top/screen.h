#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"

#include "cli/client/client.h"
#include "cli/format/style.h"

namespace det::cli {

// What `det top` shows, as the master told it.
struct TopSnapshot {
  api::GetClusterResponse cluster;
  std::vector<api::Agent> agents;
  std::vector<api::Job> jobs;
  std::vector<api::Trial> trials;  // that hold slots
  std::string address;
  std::string fault;  // why this is not new; empty: it is
};

// What the user has done to the view.
struct TopView {
  enum class Pane { kTrials, kJobs, kAgents };
  Pane pane = Pane::kTrials;
  int selected = 0;  // a row of the pane
  std::string filter;
  std::string filter_fault;
  bool typing = false;  // the filter
};

// The screen: lines of at most the terminal's width, at most as many as it is high.
std::vector<std::string> TopScreen(const TopSnapshot& snapshot,
                                   const TopView& view,
                                   const Terminal& terminal,
                                   absl::Time now);

// What a key does to the view. False ends it.
bool OnKey(const std::string& key, int rows, int page, TopView* view);

// How many rows the pane has.
int RowsOf(const TopSnapshot& snapshot, const TopView& view);

}  // namespace det::cli
