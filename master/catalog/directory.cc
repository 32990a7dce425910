#include "master/catalog/directory.h"

#include <utility>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "master/catalog/names.h"

namespace det::catalog {
namespace {

absl::Status Unauthenticated(std::string_view reason,
                             std::string_view message,
                             std::string_view hint) {
  return Error(absl::StatusCode::kUnauthenticated, reason, message, hint);
}

absl::Status Inactive(const People::User& user) {
  return Unauthenticated("USER_INACTIVE",
                         StrCat("user ", user.name, " was deactivated"),
                         "an administrator may activate it: det user activate");
}

core::Principal PrincipalOf(const People::User& user) {
  return {user.administrator ? core::Role::kAdmin : core::Role::kUser, user.handle, user.grants};
}

}  // namespace

const People::User* People::FindByName(const std::string& folded) const {
  const auto id = by_name.find(folded);
  if (id == by_name.end()) return nullptr;
  const auto user = users.find(id->second);
  return user == users.end() ? nullptr : &user->second;
}

const People::User* People::FindByHandle(const std::string& handle) const {
  const auto id = by_handle.find(handle);
  return id == by_handle.end() ? nullptr : &users.at(id->second);
}

void Directory::Install(std::shared_ptr<const People> people) {
  MutexLock lock(mutex_);
  if (people->version >= people_->version) people_ = std::move(people);
}

std::shared_ptr<const People> Directory::people() const {
  MutexLock lock(mutex_);
  return people_;
}

// The file's word stands for administrators: who can read the master's own files is one anyway.
absl::StatusOr<core::Principal> Directory::OfFile(core::Principal found) const {
  if (found.role != core::Role::kUser && found.role != core::Role::kAdmin) return found;
  const std::shared_ptr<const People> all = people();
  const People::User* user = all->FindByName(Fold(found.name));
  if (user == nullptr) return found;  // without grants: it has no row yet
  if (found.role == core::Role::kAdmin) return core::Principal{found.role, user->handle};
  if (!user->active) return Inactive(*user);
  return PrincipalOf(*user);
}

absl::StatusOr<core::Principal> Directory::Authenticate(std::string_view authorization) const {
  absl::StatusOr<core::Principal> of_file = files_.Authenticate(authorization);
  if (of_file.ok()) return OfFile(*std::move(of_file));
  const std::optional<std::string> hash = auth::TokenTable::HashOf(authorization);
  if (!hash.has_value()) return of_file.status();
  const std::shared_ptr<const People> all = people();
  const auto token = all->tokens.find(*hash);
  if (token == all->tokens.end()) return of_file.status();
  const People::User& user = all->users.at(token->second.user);
  const absl::Time now = clock_.Now();
  if (token->second.expires <= now) {
    return Unauthenticated(
        "TOKEN_EXPIRED",
        StrCat("the token of ", user.name, " expired at ", absl::FormatTime(token->second.expires)),
        "det token create makes another; an administrator can make one for you");
  }
  if (!user.active) return Inactive(user);
  MutexLock lock(mutex_);
  used_[token->second.id] = now;
  return PrincipalOf(user);
}

std::optional<core::Principal> Directory::Find(const std::string& handle) const {
  const std::shared_ptr<const People> all = people();
  const People::User* user = all->FindByHandle(handle);
  if (user == nullptr || !user->active) return std::nullopt;
  return PrincipalOf(*user);
}

std::string Directory::NameOf(const std::string& handle) const {
  const std::shared_ptr<const People> all = people();
  const People::User* user = all->FindByHandle(handle);
  return user == nullptr ? handle : user->name;
}

std::string Directory::NameOf(WorkspaceId workspace) const {
  const std::shared_ptr<const People> all = people();
  const auto name = all->workspaces.find(workspace);
  return name == all->workspaces.end() ? StrCat("workspace ", workspace.value()) : name->second;
}

std::map<int64_t, absl::Time> Directory::TakeUsed() {
  MutexLock lock(mutex_);
  return std::exchange(used_, {});
}

}  // namespace det::catalog
