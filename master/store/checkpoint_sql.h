#pragma once

#include <string_view>

namespace det::store {

// Joins the searcher's metric of a checkpoint c of an experiment e, of the validation at the same
// steps, as m.value: null when there is none.
inline constexpr std::string_view kCheckpointMetricJoin =
    "LEFT JOIN LATERAL (SELECT value FROM metrics WHERE trial_id = c.trial_id AND grp = "
    "'validation' AND name = e.metric AND steps = c.steps_completed "
    "ORDER BY received_at DESC LIMIT 1) m ON true ";

}  // namespace det::store
