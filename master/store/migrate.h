#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace det::store {

// Gives an empty database, which has no lease to hold yet, this program's schema. Another is left
// as it is: a master that is live may be writing there. One of a newer schema is refused.
absl::Status MakeSchema(const std::string& conninfo);

// Brings the database to this program's schema, each migration in a transaction of its own, under a
// lock that keeps other masters out meanwhile. A database of a newer schema is refused, unchanged.
// Each migration holds the lease of `epoch` (kAborted when it was taken); 0 when no master is
// about.
absl::Status Migrate(const std::string& conninfo, int64_t epoch = 0);

// The schema that this program needs.
int SchemaVersion();

}  // namespace det::store
