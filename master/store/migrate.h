#pragma once

#include <string>

#include "absl/status/status.h"

namespace det::store {

// Brings the database to this program's schema, each migration in a transaction of its own, under a
// lock that keeps other masters out meanwhile. A database of a newer schema is refused, unchanged.
absl::Status Migrate(const std::string& conninfo);

// The schema that this program needs.
int SchemaVersion();

}  // namespace det::store
