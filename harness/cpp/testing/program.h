#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace det::harness {

// A program that a test runs, with the test's environment. Its output goes to files in a folder.
class Program {
 public:
  // command[0] is a path.
  Program(const std::vector<std::string>& command, std::filesystem::path folder);
  ~Program();  // kills it if it still runs
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void Kill();
  // Until it ends; gives the status as waitpid has it.
  int Wait();
  std::string out() const;
  std::string err() const;

 private:
  const std::filesystem::path folder_;
  pid_t pid_ = -1;
  int status_ = -1;
};

std::string ReadFile(const std::filesystem::path& path);

}  // namespace det::harness
