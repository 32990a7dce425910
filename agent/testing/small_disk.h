#pragma once

#include <cstring>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include "common/base/strings.h"
#include "common/os/testing.h"
#include "common/os/unique_fd.h"

namespace det::agent {

// A file system of its own, so small that it can be filled. Where mounting is not allowed `why_not`
// says so.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& size) {
    if (::mount("tmpfs", dir_.path().c_str(), "tmpfs", 0, StrCat("size=", size).c_str()) != 0) {
      why_not_ = StrCat("cannot mount a tmpfs: ", std::strerror(errno));
    }
  }
  ~SmallDisk() {
    if (why_not_.empty()) ::umount2(dir_.path().c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  const std::string& why_not() const { return why_not_; }
  const std::string& path() const { return dir_.path(); }
  std::string operator/(std::string_view name) const { return dir_ / name; }

  // Takes all the room there is.
  void Fill() const {
    const UniqueFd fd(::open((*this / "filler").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    ::lseek(fd.get(), 0, SEEK_END);
    for (const size_t step : {size_t{4096}, size_t{1}}) {
      const std::string block(step, 'x');
      while (::write(fd.get(), block.data(), block.size()) > 0) continue;
    }
  }
  void MakeRoom() const { ::unlink((*this / "filler").c_str()); }

 private:
  testing::TempDir dir_;
  std::string why_not_;
};

}  // namespace det::agent
