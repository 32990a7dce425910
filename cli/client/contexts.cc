#include "cli/client/contexts.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

#include "cli/base/cause.h"
#include "cli/base/files.h"
#include "common/base/nearest.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"
#include "common/json/json.h"
#include "common/os/fs.h"

namespace det::cli {
namespace {

constexpr int64_t kFileBytesMax = 1 << 20;

std::string PathOf(const GetEnv& getenv) {
  const std::string directory = ConfigDirectory(getenv);
  return directory.empty() ? directory : StrCat(directory, "/contexts.json");
}

std::string Text(const Value& value, std::string_view key) {
  const Value* member = value.Find(key);
  return member != nullptr && member->is_string() ? member->as_string() : std::string();
}

absl::StatusOr<Contexts> Parse(const std::string& path) {
  DET_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kFileBytesMax));
  DET_ASSIGN_OR_RETURN(const Value value, ParseJson(text));
  Contexts contexts{.current = Text(value, "current")};
  const Value* all = value.Find("contexts");
  if (all == nullptr || !all->is_object()) {
    return absl::InvalidArgumentError("there is no object contexts");
  }
  for (const auto& [name, context] : all->as_object()) {
    const Value* plaintext = context.Find("plaintext");
    contexts.all.push_back(
        {.name = name,
         .master = Text(context, "master"),
         .token_file = Text(context, "token_file"),
         .plaintext = plaintext != nullptr && plaintext->is_bool() && plaintext->as_bool()});
  }
  return contexts;
}

// Before there were contexts `det up` alone said where the cluster is.
absl::StatusOr<Contexts> FromCurrent(const GetEnv& getenv) {
  DET_ASSIGN_OR_RETURN(const Current current, ReadCurrent(getenv));
  Contexts contexts;
  if (current.master.empty()) return contexts;
  contexts.current = kLocalContext;
  contexts.Put({.name = kLocalContext, .master = current.master, .token_file = current.token_file});
  return contexts;
}

}  // namespace

const ClusterContext* Contexts::Find(std::string_view name) const {
  const auto at = std::find_if(
      all.begin(), all.end(), [&](const ClusterContext& context) { return context.name == name; });
  return at == all.end() ? nullptr : &*at;
}

void Contexts::Put(ClusterContext context) {
  Remove(context.name);
  const auto before = [](const ClusterContext& a, const ClusterContext& b) {
    return a.name < b.name;
  };
  all.insert(std::upper_bound(all.begin(), all.end(), context, before), std::move(context));
}

bool Contexts::Remove(std::string_view name) {
  return std::erase_if(all, [&](const ClusterContext& context) { return context.name == name; }) >
         0;
}

std::vector<std::string> Contexts::Names() const {
  std::vector<std::string> names;
  for (const ClusterContext& context : all) names.push_back(context.name);
  return names;
}

std::string ConfigDirectory(const GetEnv& getenv) {
  if (const auto config = getenv("XDG_CONFIG_HOME"); config.has_value() && !config->empty()) {
    return StrCat(*config, "/det");
  }
  if (const auto home = getenv("HOME"); home.has_value() && !home->empty()) {
    return StrCat(*home, "/.config/det");
  }
  return {};
}

absl::StatusOr<Contexts> ReadContexts(const GetEnv& getenv) {
  const std::string path = PathOf(getenv);
  struct stat info = {};
  if (path.empty() || stat(path.c_str(), &info) != 0) return FromCurrent(getenv);
  absl::StatusOr<Contexts> contexts = Parse(path);
  if (contexts.ok()) return contexts;
  return WithCause(Error(absl::StatusCode::kInvalidArgument,
                         "CONTEXTS_UNREADABLE",
                         StrCat("cannot use ", path, ", which names the clusters"),
                         "mend or remove it, or name the master with --master"),
                   FromAbsl(contexts.status().message()));
}

absl::Status WriteContexts(const GetEnv& getenv, const Contexts& contexts) {
  const std::string path = PathOf(getenv);
  if (path.empty()) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "NO_HOME",
                 "there is no place to keep contexts: HOME is not set",
                 "set HOME or XDG_CONFIG_HOME");
  }
  Value value;
  value["current"] = contexts.current;
  value["contexts"] = Value::Object();
  for (const ClusterContext& context : contexts.all) {
    Value& entry = value["contexts"][context.name];
    entry["master"] = context.master;
    entry["token_file"] = context.token_file;
    entry["plaintext"] = context.plaintext;
  }
  DET_RETURN_IF_ERROR(MakeDirs(ParentDirectory(path), 0700));
  return AtomicWriteFile(path, value.ToPrettyJson(), 0600);
}

absl::Status CheckContextName(const std::string& name) {
  constexpr size_t kBytesMax = 64;
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
  });
  if (plain && !name.empty() && name.size() <= kBytesMax && name[0] != '.') return absl::OkStatus();
  return UsageError(StrCat(QuoteJson(name), " can't be the name of a context"),
                    "names are of letters, digits, -, _ and ., at most 64");
}

absl::Status NoSuchContext(const Contexts& contexts, const std::string& name) {
  const std::string nearest = Nearest(name, contexts.Names());
  return Error(absl::StatusCode::kNotFound,
               "CONTEXT_UNKNOWN",
               StrCat("there is no context ", QuoteJson(name)),
               !nearest.empty() ? StrCat("did you mean ", nearest, "?")
               : contexts.all.empty()
                   ? std::string("det login ADDRESS or det context add makes one")
                   : StrCat("there are ", StrJoin(contexts.Names(), ", ")));
}

std::string TokenPath(const GetEnv& getenv, const std::string& name) {
  return StrCat(ConfigDirectory(getenv), "/tokens/", name);
}

absl::Status RemoveToken(const GetEnv& getenv, const ClusterContext& context) {
  if (context.token_file != TokenPath(getenv, context.name)) return absl::OkStatus();
  if (unlink(context.token_file.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return FileError("cannot remove", context.token_file, errno);
}

}  // namespace det::cli
