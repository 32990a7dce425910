#pragma once

#include <vector>

#include "cli/client/api_fwd.h"
#include "cli/format/report.h"

namespace det::cli {

// The history of an object, oldest first; nothing when there is none.
std::vector<Section> HistorySections(const std::vector<api::Transition>& history);

// "waiting for 4 slots (NO_CAPACITY, by scheduler)".
std::string ReasonText(const api::Reason& reason);

}  // namespace det::cli
