#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "common/base/secret.h"
#include "master/auth/authenticator.h"

namespace det::auth {

// Who may speak: tokens and the principals they stand for. Only their SHA-256 is kept, so a lookup
// takes the same time however much of a guess is right. Filled before it is shared; then any
// thread.
class TokenTable : public Authenticator {
 public:
  void Add(const Secret& token, core::Principal principal);

  absl::StatusOr<core::Principal> Authenticate(std::string_view authorization) const override;

  // The SHA-256 of the token of "Bearer TOKEN", in hexadecimal; nothing of something else.
  static std::optional<std::string> HashOf(std::string_view authorization);

 private:
  std::map<std::string, core::Principal> by_hash_;
};

// "det_" and 256 random bits: secret scanners know such tokens by their beginning.
Secret NewToken();
// Its SHA-256 in hexadecimal, the only form in which a token is stored.
std::string HashToken(const Secret& token);

}  // namespace det::auth
