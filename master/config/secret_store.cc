#include "master/config/secret_store.h"

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"
#include "common/json/json.h"
#include "common/os/fs.h"

namespace det::config {
namespace {

constexpr size_t kBytesMax = 256 << 10;

// Names come from configurations, which hold no others (master/spec/reading.cc): no slash, no dot
// at the beginning.
bool IsName(const std::string& name) {
  return !name.empty() && name[0] != '.' && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos && name != "users";
}

absl::Status NotFound(const std::string& name) {
  return Error(absl::StatusCode::kNotFound,
               "SECRET_NOT_FOUND",
               StrCat("there is no secret ", QuoteJson(name), " that you may use"),
               "an administrator puts it into a file of this name, in the master's folder secrets");
}

// {"owner": ..., "value": ...}; nothing when it is somebody else's.
absl::StatusOr<Secret> Open(const std::string& name,
                            const std::string& text,
                            const std::string& user) {
  const absl::StatusOr<Value> kept = ParseJson(text);
  const Value* owner = kept.ok() ? kept->Find("owner") : nullptr;
  const Value* value = kept.ok() ? kept->Find("value") : nullptr;
  if (owner == nullptr || value == nullptr || !value->is_string()) {
    return Error(absl::StatusCode::kInternal,
                 "DAMAGED_SECRET",
                 StrCat("the file of the secret ", QuoteJson(name), " is damaged"));
  }
  if (*owner != Value(user)) return NotFound(name);
  return Secret(value->as_string());
}

}  // namespace

std::string FolderSecretStore::UserFile(const std::string& name) const {
  return StrCat(folder_, "/users/", name);
}

absl::Status FolderSecretStore::Keep(const std::string& name,
                                     const std::string& owner,
                                     const Secret& secret) {
  if (!IsName(name)) return NotFound(name);
  DET_RETURN_IF_ERROR(MakeDirs(folder_, 0700));
  DET_RETURN_IF_ERROR(MakeDirs(StrCat(folder_, "/users"), 0700));
  Value kept;
  kept["owner"] = owner;
  kept["value"] = secret.Reveal();
  return AtomicWriteFile(UserFile(name), kept.ToJson(), 0600);
}

absl::StatusOr<Secret> FolderSecretStore::Get(const std::string& name,
                                              const std::string& user) const {
  if (!IsName(name)) return NotFound(name);
  const auto shared = shared_.find(name);
  if (shared != shared_.end()) return shared->second;
  const absl::StatusOr<std::string> own = ReadFile(UserFile(name), kBytesMax);
  if (own.ok()) return Open(name, *own, user);
  absl::StatusOr<std::string> all = ReadFile(StrCat(folder_, "/", name), kBytesMax);
  if (absl::IsNotFound(own.status()) && absl::IsNotFound(all.status())) return NotFound(name);
  DET_RETURN_IF_ERROR(all.status());
  if (all->ends_with('\n')) all->pop_back();
  return Secret(*std::move(all));
}

}  // namespace det::config
