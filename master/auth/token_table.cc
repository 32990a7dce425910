#include "master/auth/token_table.h"

#include "common/base/check.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/digest/sha256.h"
#include "common/os/random.h"

namespace det::auth {
namespace {

constexpr size_t kTokenBytesMax = 1024;

std::string Hash(std::string_view token) {
  Sha256 digest;
  digest.Update(token);
  return digest.Finish();
}

absl::Status Unauthenticated(std::string_view what) {
  return Error(absl::StatusCode::kUnauthenticated,
               "UNAUTHENTICATED",
               what,
               "det up writes the administrator's token; name it with --token-file or DET_TOKEN");
}

}  // namespace

void TokenTable::Add(const Secret& token, core::Principal principal) {
  DET_CHECK(!token.empty(), "an empty token lets everybody in");
  by_hash_[Hash(token.Reveal())] = std::move(principal);
}

std::optional<std::string> TokenTable::HashOf(std::string_view authorization) {
  constexpr std::string_view kScheme = "Bearer ";
  if (!authorization.starts_with(kScheme) || authorization.size() > kTokenBytesMax)
    return std::nullopt;
  return Hash(authorization.substr(kScheme.size()));
}

absl::StatusOr<core::Principal> TokenTable::Authenticate(std::string_view authorization) const {
  if (authorization.empty()) return Unauthenticated("no token was given");
  const std::optional<std::string> hash = HashOf(authorization);
  if (!hash.has_value()) return Unauthenticated("the token can't be read");
  const auto it = by_hash_.find(*hash);
  if (it == by_hash_.end()) return Unauthenticated("the token is not valid here");
  return it->second;
}

std::string HashToken(const Secret& token) {
  return Hash(token.Reveal());
}

Secret NewToken() {
  return Secret(StrCat("det_", RandomToken()));
}

}  // namespace det::auth
