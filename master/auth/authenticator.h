#pragma once

#include <string_view>

#include "absl/status/statusor.h"

#include "master/core/command.h"

namespace det::auth {

// Says who calls. Any thread; must not block, since it is asked on the doors' own threads.
class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // Of "Bearer TOKEN"; kUnauthenticated for everything else.
  virtual absl::StatusOr<core::Principal> Authenticate(std::string_view authorization) const = 0;
};

}  // namespace det::auth
