#include "common/storage/paths.h"

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"

namespace det::storage {
namespace {

constexpr size_t kUuidBytesMax = 128;
constexpr size_t kPathBytesMax = 4096;
constexpr size_t kGlobBytesMax = 1024;

absl::Status Unsafe(std::string_view what, std::string_view name) {
  return Error(absl::StatusCode::kInvalidArgument,
               "UNSAFE_NAME",
               StrCat(what, " can't be named ", QuoteJson(CutUtf8(name, 200))));
}

std::vector<std::string_view> Split(std::string_view path) {
  std::vector<std::string_view> names;
  for (;;) {
    const size_t slash = path.find('/');
    names.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return names;
    path.remove_prefix(slash + 1);
  }
}

bool ArePlainNames(std::string_view path) {
  for (const std::string_view name : Split(path)) {
    if (name.empty() || name == "." || name == ".." || name.find('\0') != std::string_view::npos) {
      return false;
    }
  }
  return true;
}

// "[...]" at the front of `glob`: its length, or 0 when it has no end and stands for itself.
size_t ClassLength(std::string_view glob) {
  size_t at = 1;
  if (at < glob.size() && glob[at] == '!') ++at;
  if (at < glob.size() && glob[at] == ']') ++at;  // first, it is one of the characters
  while (at < glob.size() && glob[at] != ']') ++at;
  return at < glob.size() ? at + 1 : 0;
}

bool InClass(std::string_view inside, char c) {
  const bool negated = inside.starts_with('!');
  if (negated) inside.remove_prefix(1);
  bool found = false;
  for (size_t i = 0; i < inside.size(); ++i) {
    if (i + 2 < inside.size() && inside[i + 1] == '-') {
      found = found || (inside[i] <= c && c <= inside[i + 2]);
      i += 2;
    } else {
      found = found || inside[i] == c;
    }
  }
  return found != negated;
}

// The length of what matches one character at the front of `glob`; 0: it does not match.
size_t MatchOne(std::string_view glob, char c) {
  if (glob.empty()) return 0;
  if (glob[0] == '?') return 1;
  if (glob[0] == '[') {
    if (const size_t length = ClassLength(glob); length > 0) {
      return InClass(glob.substr(1, length - 2), c) ? length : 0;
    }
  }
  return glob[0] == c ? 1 : 0;
}

// One name. The last "*" alone is ever reconsidered: time is the product of the lengths at most.
bool MatchesName(std::string_view glob, std::string_view name) {
  size_t g = 0;
  size_t n = 0;
  size_t star = std::string_view::npos;
  size_t resume = 0;
  while (n < name.size()) {
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      resume = n;
    } else if (const size_t length = MatchOne(glob.substr(g), name[n]); length > 0) {
      g += length;
      ++n;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

}  // namespace

absl::Status CheckUuid(std::string_view uuid) {
  const bool plain = !uuid.empty() && uuid.size() <= kUuidBytesMax && uuid[0] != '.' &&
                     uuid.find('/') == std::string_view::npos && ArePlainNames(uuid);
  return plain ? absl::OkStatus() : Unsafe("a checkpoint", uuid);
}

absl::Status CheckPath(std::string_view path) {
  const bool plain =
      path.size() <= kPathBytesMax && ArePlainNames(path) && path != kCompletionMarker;
  return plain ? absl::OkStatus() : Unsafe("a file of a checkpoint", path);
}

absl::Status CheckGlob(std::string_view glob) {
  if (glob.size() <= kGlobBytesMax && ArePlainNames(glob)) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument,
               "INVALID_GLOB",
               StrCat(QuoteJson(CutUtf8(glob, 200)), " names no files of a checkpoint"),
               "such as \"optimizer*\", \"logs/*.txt\" or \"**/*.tmp\"");
}

bool MatchesGlob(std::string_view glob, std::string_view path) {
  const std::vector<std::string_view> globs = Split(glob);
  const std::vector<std::string_view> names = Split(path);
  // reached[n]: the patterns so far match the first n names.
  std::vector<bool> reached(names.size() + 1, false);
  reached[0] = true;
  for (const std::string_view part : globs) {
    std::vector<bool> next(names.size() + 1, false);
    bool any = false;
    for (size_t n = 0; n <= names.size(); ++n) {
      any = any || reached[n];
      if (part == "**") {
        next[n] = any;
      } else if (n > 0) {
        next[n] = reached[n - 1] && MatchesName(part, names[n - 1]);
      }
    }
    reached = std::move(next);
  }
  for (size_t n = 1; n <= names.size(); ++n) {
    if (reached[n]) return true;
  }
  return false;
}

absl::Status MergeShard(const FileMap& shard, FileMap* files) {
  const auto conflict = [](std::string_view path) {
    return Error(absl::StatusCode::kAlreadyExists,
                 "SHARD_CONFLICT",
                 StrCat("two ranks saved ", QuoteJson(path), " of one checkpoint"),
                 "put the rank into the name: \"model-rank3.pt\"");
  };
  for (const auto& [path, bytes] : shard) {
    if (files->contains(path)) return conflict(path);
    // Something below it: a folder there, a file here.
    const auto below = files->lower_bound(path + "/");
    if (below != files->end() && below->first.starts_with(path + "/")) return conflict(path);
    for (size_t slash = path.find('/'); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      if (files->contains(path.substr(0, slash))) return conflict(path.substr(0, slash));
    }
  }
  files->insert(shard.begin(), shard.end());
  return absl::OkStatus();
}

}  // namespace det::storage
