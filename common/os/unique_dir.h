#pragma once

#include <memory>

#include <dirent.h>

namespace det {

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

// Owns what opendir(3) or fdopendir(3) gave. One thread at a time.
using UniqueDir = std::unique_ptr<DIR, CloseDir>;

}  // namespace det
