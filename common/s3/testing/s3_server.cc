#include "common/s3/testing/s3_server.h"

#include <csignal>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/spawn.h"
#include "common/testing/eventually.h"

namespace det::s3 {
namespace {

const Clock& Wall() {
  static const SystemClock clock;
  return clock;
}

int PortIn(const std::string& file) {
  const absl::StatusOr<std::string> text = ReadFile(file, 4096);
  if (!text.ok() || !text->starts_with("PORT ") || !text->ends_with('\n')) return 0;
  return std::stoi(text->substr(5));
}

}  // namespace

S3Server::S3Server() {
  int ends[2];
  DET_CHECK(::pipe2(ends, O_CLOEXEC) == 0);
  const UniqueFd read_end(ends[0]);
  input_ = UniqueFd(ends[1]);
  const std::string out = folder_ / "out";
  const std::string err = folder_ / "err";
  const auto out_fd = OpenFile(out, O_WRONLY | O_CREAT, 0600);
  const auto err_fd = OpenFile(err, O_WRONLY | O_CREAT, 0600);
  DET_CHECK(out_fd.ok() && err_fd.ok());
  const absl::StatusOr<pid_t> pid =
      Spawn({.argv = {"/usr/bin/python3",
                      StrCat(DET_SOURCE_DIR, "/common/s3/testing/swift_s3.py"),
                      folder_ / "swift",
                      kAccessKey,
                      kSecretKey},
             .env = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8"},
             .stdin_fd = read_end.get(),
             .stdout_fd = out_fd->get(),
             .stderr_fd = err_fd->get(),
             .parent_death_signal = SIGKILL});
  EXPECT_TRUE(pid.ok()) << pid.status();
  if (pid.ok()) pid_ = *pid;
  const bool up = Eventually(
      [&] {
        port_ = PortIn(out);
        if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
        return port_ != 0 || pid_ < 0;
      },
      std::chrono::seconds(60));
  EXPECT_TRUE(up && port_ != 0) << "the S3 server did not start; are the packages of ./dev setup "
                                   "there? It said:\n"
                                << ReadFile(err, 1 << 20).value_or("");
}

S3Server::~S3Server() {
  input_ = UniqueFd();
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

std::string S3Server::url() const {
  return StrCat("http://127.0.0.1:", port_);
}

ClientOptions S3Server::Options(const std::string& bucket) const {
  ClientOptions options{.bucket = bucket, .endpoint_url = url(), .clock = &Wall()};
  options.credentials = []() -> absl::StatusOr<Credentials> {
    return Credentials{kAccessKey, Secret(kSecretKey), Secret()};
  };
  options.patience = absl::Seconds(10);
  options.longest_pause = absl::Milliseconds(200);
  return options;
}

std::unique_ptr<Client> S3Server::MakeBucket(const std::string& bucket) const {
  absl::StatusOr<std::unique_ptr<Client>> client = Client::Create(Options(bucket));
  EXPECT_TRUE(client.ok()) << client.status();
  const absl::Status made = (*client)->CreateBucket();
  EXPECT_TRUE(made.ok()) << made;
  return *std::move(client);
}

}  // namespace det::s3
