#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

// Names inside of a checkpoint. Pure; any thread.
namespace det::storage {

// The files of a checkpoint: path below it -> bytes.
using FileMap = std::map<std::string, int64_t>;

// Written last into a bucket, by det: a checkpoint without it is none. Never a file of a trial's.
inline constexpr std::string_view kCompletionMarker = ".det-complete.json";

// INVALID_ARGUMENT (UNSAFE_NAME) unless it is one name: no "/", no "." in front, 1 to 128 bytes.
absl::Status CheckUuid(std::string_view uuid);
// INVALID_ARGUMENT (UNSAFE_NAME) unless it is a relative path of plain names ("a/b"): nothing
// absolute, empty, "." or "..", no NUL, at most 4096 bytes, and not the marker.
absl::Status CheckPath(std::string_view path);

// Does a path, or one of the folders above it, match? "*" and "?" stay within a name, "[a-z]" and
// "[!a]" are one character of it, "**" is any number of folders. INVALID_ARGUMENT (INVALID_GLOB)
// for an empty, absolute or ".." pattern, which could only mean something outside.
absl::Status CheckGlob(std::string_view glob);
bool MatchesGlob(std::string_view glob, std::string_view path);

// Of several ranks that saved one checkpoint together: the files of all. ALREADY_EXISTS
// (SHARD_CONFLICT) names a file that two of them wrote, or that is a folder of another's.
absl::Status MergeShard(const FileMap& shard, FileMap* files);

}  // namespace det::storage
