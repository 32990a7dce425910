#pragma once

#include "common/base/strong_id.h"

// The names of everything that the master keeps. Ids are given in order and never used twice, so an
// allocation's id also fences it: nothing that an older one says can be taken for a newer one's.
namespace det {

using ExperimentId = StrongId<struct ExperimentTag>;
using TrialId = StrongId<struct TrialTag>;
using TaskId = StrongId<struct TaskTag>;
using AllocationId = StrongId<struct AllocationTag>;
using AgentId = StrongName<struct AgentTag>;
using WorkspaceId = StrongId<struct WorkspaceTag>;
using ProjectId = StrongId<struct ProjectTag>;

// Where experiments are that were put nowhere else.
inline constexpr WorkspaceId kFirstWorkspace{1};
inline constexpr ProjectId kFirstProject{1};

}  // namespace det
