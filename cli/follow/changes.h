#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/follow/snapshot.h"

namespace det::cli::follow {

// What is worth a line where there is no live view: the state, a new best, trials that begin or
// end, each tenth of the search. Without `before` the line that introduces the experiment.
std::vector<std::string> NoteworthyChanges(const std::optional<Snapshot>& before,
                                           const Snapshot& after);

}  // namespace det::cli::follow
