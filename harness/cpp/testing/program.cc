#include "harness/cpp/testing/program.h"

#include <fstream>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"

namespace det::harness {

Program::Program(const std::vector<std::string>& command, std::filesystem::path folder)
    : folder_(std::move(folder)) {
  std::vector<std::string> words = command;
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  constexpr int kFlags = O_CREAT | O_TRUNC | O_WRONLY;
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, (folder_ / "out").c_str(), kFlags, 0600);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, (folder_ / "err").c_str(), kFlags, 0600);
  const int error = posix_spawn(&pid_, argv[0], &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  DET_CHECK(error == 0, "can't start a program");
}

Program::~Program() {
  if (pid_ < 0) return;
  Kill();
  Wait();
}

void Program::Kill() {
  if (pid_ >= 0) kill(pid_, SIGKILL);
}

int Program::Wait() {
  if (pid_ >= 0) waitpid(std::exchange(pid_, -1), &status_, 0);
  return status_;
}

std::string Program::out() const {
  return ReadFile(folder_ / "out");
}

std::string Program::err() const {
  return ReadFile(folder_ / "err");
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace det::harness
