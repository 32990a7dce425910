#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "common/base/ids.h"
#include "common/base/mutex.h"
#include "common/clock/clock.h"
#include "master/auth/authenticator.h"
#include "master/auth/token_table.h"

namespace det::catalog {

// What is needed to say who calls and what they may do, of one version of the catalogue.
struct People {
  struct User {
    int64_t id = 0;
    std::string handle;
    std::string name;
    bool active = true;
    bool administrator = false;
    std::shared_ptr<const core::Grants> grants;
  };
  struct Token {
    int64_t id = 0;
    int64_t user = 0;
    absl::Time expires = absl::InfiniteFuture();
  };
  int64_t version = 0;
  std::map<int64_t, User> users;
  std::map<std::string, int64_t> by_name;  // folded: every name that a user has or had
  std::map<std::string, int64_t> by_handle;
  std::map<std::string, Token> tokens;            // by the SHA-256 of those that were not revoked
  std::map<WorkspaceId, std::string> workspaces;  // names

  const User* FindByName(const std::string& folded) const;
  const User* FindByHandle(const std::string& handle) const;
};

// The catalogue's people in memory: a call costs no query. Whoever changes them installs what is
// new before it answers; a change that came another way is found by its version (Catalog::Refresh).
// Any thread.
class Directory : public auth::Authenticator {
 public:
  // `files` are the tokens that stand in files of the master, by the names of their users; it
  // outlives the directory.
  Directory(const auth::TokenTable& files, const Clock& clock) : files_(files), clock_(clock) {}

  // The people of an older version are dropped.
  void Install(std::shared_ptr<const People> people);
  std::shared_ptr<const People> people() const;

  // UNAUTHENTICATED (reasons UNAUTHENTICATED, TOKEN_EXPIRED, USER_INACTIVE).
  absl::StatusOr<core::Principal> Authenticate(std::string_view authorization) const override;
  // The user as of now; nothing when there is none, or none that is active.
  std::optional<core::Principal> Find(const std::string& handle) const;

  // What the user is called now; the handle when nobody has it.
  std::string NameOf(const std::string& handle) const;
  // "workspace 3" when it has no name here.
  std::string NameOf(WorkspaceId workspace) const;

  // Tokens that let somebody in since the last call, each with the time of its last use.
  std::map<int64_t, absl::Time> TakeUsed();

 private:
  absl::StatusOr<core::Principal> OfFile(core::Principal found) const;

  const auth::TokenTable& files_;
  const Clock& clock_;
  mutable Mutex mutex_;
  std::shared_ptr<const People> people_ ABSL_GUARDED_BY(mutex_) = std::make_shared<People>();
  mutable std::map<int64_t, absl::Time> used_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace det::catalog
