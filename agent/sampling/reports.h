#pragma once

#include <vector>

#include "det/agent/v1/agent.pb.h"

#include "agent/sampling/sampler.h"

namespace det::agent {

// A point as reports of the groups "cpu", "memory" and "disk". Their steps are the seconds since
// the agent began to watch the task.
std::vector<v1::Report> ToReports(const Sampler::Point& point);

}  // namespace det::agent
