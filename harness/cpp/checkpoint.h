#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "harness/cpp/det.h"

namespace det::harness {

struct WrittenCheckpoint {
  std::string uuid;
  std::map<std::string, int64_t> files;  // path below the folder: bytes
};

// Has `save` fill a folder ".tmp-<uuid>" of `directory`, brings it to disk, and only then names it
// "<uuid>": a folder without ".tmp-" is complete, whenever the machine stops. Makes `directory`
// when it is missing. When something throws, the folder is taken away again. Throws Error, and what
// `save` throws.
WrittenCheckpoint WriteCheckpoint(const std::filesystem::path& directory, const SaveFunction& save);

}  // namespace det::harness
