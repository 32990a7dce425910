#include "common/pg/private_server.h"

#include <csignal>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "common/base/status.h"
#include "common/pg/pg.h"
#include "common/testing/eventually.h"
#include "common/testing/tmp_dir.h"

namespace det::pg {
namespace {

int CountRows(PrivateServer& server) {
  int count = -1;
  Connection connection(server.conninfo());
  const absl::Status status = connection.Transact(
      [&](pqxx::work& tx) { count = tx.exec1("SELECT count(*) FROM t")[0].as<int>(); });
  return status.ok() ? count : -1;
}

absl::Status Fill(PrivateServer& server) {
  return Connection(server.conninfo()).Transact([](pqxx::work& tx) {
    tx.exec("CREATE TABLE IF NOT EXISTS t (x int)");
    tx.exec("INSERT INTO t VALUES (1)");
  });
}

TEST(PrivateServer, KeepsItsDataAndKeepsOthersOut) {
  TmpDir dir;
  {
    auto server = PrivateServer::Start({.directory = dir / "pg"});
    ASSERT_TRUE(server.ok()) << server.status();
    ASSERT_TRUE(Fill(**server).ok());
    const auto second = PrivateServer::Start({.directory = dir / "pg"});
    EXPECT_EQ(ErrorReason(second.status()), "LOCK_HELD") << second.status();
  }
  auto server = PrivateServer::Start({.directory = dir / "pg"});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(CountRows(**server), 1);
}

TEST(PrivateServer, IsStartedAgainAfterItWasKilled) {
  TmpDir dir;
  auto server = PrivateServer::Start({.directory = dir / "pg"});
  ASSERT_TRUE(server.ok()) << server.status();
  ASSERT_TRUE(Fill(**server).ok());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(Eventually([&] { return (*server)->pid() > 0; }));
    const pid_t pid = (*server)->pid();
    kill(pid, SIGKILL);
    EXPECT_TRUE(Eventually([&] { return (*server)->pid() != pid && CountRows(**server) == 1; }));
  }
}

// A process that keeps a server and is killed, so that nobody stops the server in order.
pid_t StartElsewhere(const std::string& directory, pid_t* postmaster) {
  int pipe_fds[2];
  EXPECT_EQ(pipe(pipe_fds), 0);
  const pid_t child = fork();
  if (child == 0) {
    auto server = PrivateServer::Start({.directory = directory});
    const pid_t pid = server.ok() ? (*server)->pid() : 0;
    if (server.ok() && !Fill(**server).ok()) _exit(1);
    if (write(pipe_fds[1], &pid, sizeof(pid)) != sizeof(pid)) _exit(1);
    pause();
    _exit(0);
  }
  EXPECT_EQ(read(pipe_fds[0], postmaster, sizeof(*postmaster)),
            static_cast<ssize_t>(sizeof(*postmaster)));
  close(pipe_fds[0]);
  close(pipe_fds[1]);
  return child;
}

TEST(PrivateServer, EndsWithItsKillerlessOwner) {
  TmpDir dir;
  pid_t postmaster = 0;
  const pid_t owner = StartElsewhere(dir / "pg", &postmaster);
  ASSERT_NE(postmaster, 0);
  kill(owner, SIGKILL);
  waitpid(owner, nullptr, 0);
  EXPECT_TRUE(Eventually([&] { return kill(postmaster, 0) != 0; }));
}

TEST(PrivateServer, TakesOverAfterEverythingWasKilled) {
  TmpDir dir;
  pid_t postmaster = 0;
  const pid_t owner = StartElsewhere(dir / "pg", &postmaster);
  ASSERT_NE(postmaster, 0);
  kill(postmaster, SIGSTOP);  // it can't end by itself
  kill(owner, SIGKILL);
  waitpid(owner, nullptr, 0);
  kill(postmaster, SIGKILL);
  auto server = PrivateServer::Start({.directory = dir / "pg"});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(CountRows(**server), 1);
}

TEST(PrivateServer, TouchesNoProcessThatMerelyStandsInItsFolder) {
  TmpDir dir;
  { ASSERT_TRUE(PrivateServer::Start({.directory = dir / "pg"}).ok()); }
  const pid_t bystander = fork();
  if (bystander == 0) {
    if (chdir((dir / "pg/data").c_str()) != 0) _exit(1);
    pause();
    _exit(0);
  }
  EXPECT_TRUE(PrivateServer::Start({.directory = dir / "pg"}).ok());
  EXPECT_EQ(waitpid(bystander, nullptr, WNOHANG), 0);
  kill(bystander, SIGKILL);
  waitpid(bystander, nullptr, 0);
}

TEST(PrivateServer, FollowsNoLinkToItsFolder) {
  TmpDir dir;
  std::filesystem::create_directory(dir / "other");
  std::filesystem::create_directory_symlink(dir / "other", dir / "pg");
  EXPECT_FALSE(PrivateServer::Start({.directory = dir / "pg"}).ok());
  EXPECT_TRUE(std::filesystem::is_empty(dir / "other"));
}

TEST(PrivateServer, AStartThatIsNoLongerWantedEnds) {
  TmpDir dir;
  { ASSERT_TRUE(PrivateServer::Start({.directory = dir / "pg"}).ok()); }
  const auto server =
      PrivateServer::Start({.directory = dir / "pg", .stopped = [] { return true; }});
  EXPECT_EQ(server.status().code(), absl::StatusCode::kCancelled) << server.status();
  EXPECT_TRUE(PrivateServer::Start({.directory = dir / "pg"}).ok());
}

TEST(PrivateServer, AnUnfinishedInitIsMadeAnew) {
  TmpDir dir;
  { ASSERT_TRUE(PrivateServer::Start({.directory = dir / "pg"}).ok()); }
  std::filesystem::rename(dir / "pg/data", dir / "pg/data.new");
  std::filesystem::remove(dir / "pg/data.new/PG_VERSION");
  std::filesystem::remove(dir / "pg.initialized");
  EXPECT_TRUE(PrivateServer::Start({.directory = dir / "pg"}).ok());
}

TEST(PrivateServer, NeverReplacesADatabaseThatIsGone) {
  TmpDir dir;
  { ASSERT_TRUE(PrivateServer::Start({.directory = dir / "pg"}).ok()); }
  std::filesystem::rename(dir / "pg", dir / "elsewhere");  // as a volume that is not mounted
  const auto refused = PrivateServer::Start({.directory = dir / "pg"});
  EXPECT_EQ(ErrorReason(refused.status()), "DATA_GONE") << refused.status();
  EXPECT_NE(refused.status().message().find(dir / "pg/data"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(dir / "pg/data"));
  std::filesystem::remove(dir / "pg.initialized");
  EXPECT_TRUE(PrivateServer::Start({.directory = dir / "pg"}).ok());
}

TEST(PrivateServer, AServerWhoseDataWentGetsNoNewDatabase) {
  TmpDir dir;
  auto server = PrivateServer::Start({.directory = dir / "pg"});
  ASSERT_TRUE(server.ok()) << server.status();
  ASSERT_TRUE(Fill(**server).ok());
  // Not even where nothing is left that says that there was one.
  std::filesystem::rename(dir / "pg/data", dir / "pg/gone");
  std::filesystem::remove(dir / "pg.initialized");
  const pid_t pid = (*server)->pid();
  kill(pid, SIGKILL);
  ASSERT_TRUE(Eventually([&] { return (*server)->pid() != pid; }));
  const auto made_anew = [&] {
    return std::filesystem::exists(dir / "pg/data.new") || std::filesystem::exists(dir / "pg/data");
  };
  EXPECT_FALSE(Eventually(made_anew, std::chrono::seconds(2)));
  std::filesystem::rename(dir / "pg/gone", dir / "pg/data");
  EXPECT_TRUE(Eventually([&] { return CountRows(**server) == 1; }));
}

TEST(PrivateServer, TakesUpADatabaseOfAnOlderVersionWithoutAMarker) {
  TmpDir dir;
  { ASSERT_TRUE(PrivateServer::Start({.directory = dir / "pg"}).ok()); }
  std::filesystem::remove(dir / "pg.initialized");
  EXPECT_TRUE(PrivateServer::Start({.directory = dir / "pg"}).ok());
  EXPECT_TRUE(std::filesystem::exists(dir / "pg.initialized"));
}

TEST(PrivateServer, WhoOnlyReadsMakesNoDatabase) {
  TmpDir dir;
  const auto server = PrivateServer::Start({.directory = dir / "pg", .create = false});
  EXPECT_EQ(ErrorReason(server.status()), "DATA_GONE") << server.status();
  EXPECT_FALSE(std::filesystem::exists(dir / "pg/data"));
}

TEST(PrivateServer, SaysWhichFolderKeepsItsUserOut) {
  if (geteuid() != 0) GTEST_SKIP() << "only root changes to another user";
  TmpDir dir;
  std::filesystem::create_directory(dir / "closed");
  std::filesystem::permissions(dir / "closed", std::filesystem::perms(0700));
  const auto server = PrivateServer::Start({.directory = dir / "closed/pg"});
  EXPECT_EQ(ErrorReason(server.status()), "UNREACHABLE");
  EXPECT_NE(server.status().message().find(dir / "closed"), std::string::npos);
}

TEST(PrivateServer, RefusesAnotherVersion) {
  TmpDir dir;
  { ASSERT_TRUE(PrivateServer::Start({.directory = dir / "pg"}).ok()); }
  std::ofstream(dir / "pg/data/PG_VERSION") << "9.6\n";
  const auto server = PrivateServer::Start({.directory = dir / "pg"});
  EXPECT_EQ(ErrorReason(server.status()), "OTHER_POSTGRES");
  EXPECT_NE(server.status().message().find("made by PostgreSQL 9.6"), std::string::npos);
}

}  // namespace
}  // namespace det::pg
