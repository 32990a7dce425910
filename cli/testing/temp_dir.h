#pragma once

#include <string>
#include <string_view>

namespace det::cli {

// A directory that is gone at the end of the test.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string File(std::string_view name) const;
  // Writes a file, and the directories above it.
  std::string Write(std::string_view name, std::string_view content) const;

 private:
  std::string path_;
};

std::string ReadAll(const std::string& path);

}  // namespace det::cli
