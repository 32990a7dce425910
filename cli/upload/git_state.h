#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"

namespace det::cli {

struct GitState {
  std::string commit;  // hexadecimal
  std::string branch;  // "" when none is checked out
  // Files below the directory differ from the commit, or it could not be told that they do not.
  bool dirty = true;
};

// Longer than `git status` takes on any tree that is small enough to be a model directory.
inline constexpr absl::Duration kGitPatience = absl::Seconds(2);

// Of the git work tree that the directory is in; nothing when it is in none or has no commit yet.
// Commit and branch are read from git's own files; whether something differs is asked of the
// program git, found by `path` (of $PATH), which gets no more than `patience`.
std::optional<GitState> ReadGitState(const std::string& directory,
                                     const std::string& path,
                                     absl::Duration patience = kGitPatience);

}  // namespace det::cli
