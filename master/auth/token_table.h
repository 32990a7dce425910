#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"

#include "common/base/secret.h"
#include "master/core/command.h"

namespace det::auth {

// Who may speak: tokens and the principals they stand for. Only their SHA-256 is kept, so a lookup
// takes the same time however much of a guess is right. Filled before it is shared; then any
// thread.
class TokenTable {
 public:
  void Add(const Secret& token, core::Principal principal);

  // Of "Bearer TOKEN"; kUnauthenticated for everything else.
  absl::StatusOr<core::Principal> Authenticate(std::string_view authorization) const;

 private:
  std::map<std::string, core::Principal> by_hash_;
};

// "det_" and 256 random bits: secret scanners know such tokens by their beginning.
Secret NewToken();

}  // namespace det::auth
