#include <csignal>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/base/cause.h"
#include "cli/cluster/daemon.h"
#include "cli/cluster/layout.h"
#include "cli/cluster/ports.h"
#include "cli/cluster/settings.h"
#include "cli/testing/temp_dir.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/config/settings_file.h"
#include "common/os/lock_file.h"
#include "common/os/spawn.h"
#include "common/os/testing.h"

namespace det::cli {
namespace {

using ::testing::HasSubstr;

GetEnv Variables(std::map<std::string, std::string, std::less<>> values) {
  return [values = std::move(values)](std::string_view name) -> std::optional<std::string> {
    const auto at = values.find(name);
    return at == values.end() ? std::nullopt : std::optional(at->second);
  };
}

TEST(LayoutTest, WhatIsNamedComesFirst) {
  const TempDir dir;
  const auto env = Variables({{"HOME", dir.path()}});
  EXPECT_EQ(FindLayout("/a/b/../c/", env)->data(), "/a/c");
  EXPECT_EQ(FindLayout("x", env)->data(), std::filesystem::current_path().string() + "/x");
  // The last cluster, as long as it is there.
  const std::string last = dir.File("last");
  ASSERT_TRUE(WriteCurrent({.path = CurrentFilePath(env), .data_dir = last}).ok());
  EXPECT_NE(FindLayout("", env)->data(), last);
  dir.Write("last/up.json", "{}");
  EXPECT_EQ(FindLayout("", env)->data(), last);
  EXPECT_EQ(FindLayout("/other", env)->data(), "/other");
}

TEST(LayoutTest, TheDefaultIsTheUsers) {
  const std::string mine = FindLayout("", Variables({{"HOME", "/home/ann"}}))->data();
  EXPECT_EQ(mine, geteuid() == 0 ? "/var/lib/det" : "/home/ann/.local/share/det");
}

TEST(SettingsTest, AreKept) {
  const TempDir dir;
  const Layout layout(dir.path());
  EXPECT_EQ(ReadSettings(layout)->grpc_port, 8090);
  Settings settings{.grpc_port = 1, .http_port = 2, .slots = 3, .db_url = "postgresql://x"};
  ASSERT_TRUE(WriteSettings(layout, settings).ok());
  const auto again = ReadSettings(layout);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->grpc_port, 1);
  EXPECT_EQ(again->http_port, 2);
  EXPECT_EQ(again->slots, 3);
  EXPECT_EQ(again->db_url, "postgresql://x");
  dir.Write("up.json", "{");
  EXPECT_THAT(std::string(ReadSettings(layout).status().message()), HasSubstr("up.json"));
}

TEST(SettingsTest, NoticesWhatSomebodyEdits) {
  const TempDir dir;
  const Layout layout(dir.path());
  Settings settings;
  EXPECT_FALSE(*IsEdited(layout.master_config(), settings.master_hash));
  ASSERT_TRUE(WriteMasterConfig(layout, &settings).ok());
  EXPECT_FALSE(*IsEdited(layout.master_config(), settings.master_hash));
  dir.Write("master.yaml", ReadAll(layout.master_config()) + "\n");
  EXPECT_TRUE(*IsEdited(layout.master_config(), settings.master_hash));
}

TEST(SettingsTest, PathsOfAnyKindAreValidYaml) {
  const TempDir dir;
  Settings settings{.db_url = "postgresql://u:p@h/d?x='y' #"};
  const Layout real(dir.path());
  ASSERT_TRUE(WriteMasterConfig(real, &settings).ok());
  std::string url;
  const absl::Status read = det::ReadSettings(real.master_config(), [&](const Value& v, Problems*) {
    url = v.FindPath("db.url")->as_string();
  });
  ASSERT_TRUE(read.ok()) << read;
  EXPECT_EQ(url, settings.db_url);
}

TEST(PortsTest, TakesTheNextFreeOne) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  socklen_t size = sizeof(address);
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  const int64_t taken = ntohs(address.sin_port);
  EXPECT_FALSE(PortIsFree(taken));
  const auto free = FreePort(taken, taken + 1);
  ASSERT_TRUE(free.ok()) << free.status();
  EXPECT_GT(*free, taken + 1);
  close(listener);
  EXPECT_TRUE(PortIsFree(taken));
}

class DaemonTest : public ::testing::Test {
 protected:
  const TempDir dir_;
  const Daemon daemon_{"det-fake", dir_.File("lock"), dir_.File("log")};
};

TEST_F(DaemonTest, FindsNothingWhereNothingIs) {
  EXPECT_FALSE(FindDaemon(daemon_)->has_value());
}

TEST_F(DaemonTest, NeverTakesSomebodyElseForOurs) {
  const auto lock = LockFile::Acquire(daemon_.lock, "det-fake");
  ASSERT_TRUE(lock.ok());
  const auto found = FindDaemon(daemon_);
  EXPECT_EQ(ErrorReason(found.status()), "LOCK_HELD");
  EXPECT_THAT(std::string(found.status().message()), HasSubstr(StrCat("process ", getpid())));
}

TEST_F(DaemonTest, TellsTheLastWordsOfTheDead) {
  dir_.Write("log", "det-fake: error: of an earlier time\n");
  const auto started = StartDaemon(
      daemon_, {"/bin/sh", "-c", "echo 'det-fake: error: no\n  way\nhint: another way' >&2"});
  ASSERT_TRUE(started.ok()) << started.status();
  ASSERT_TRUE(det::testing::Eventually([&] { return !*IsAlive(started->id); }));
  const absl::Status death = DeathOf(daemon_, *started);
  EXPECT_EQ(ErrorCause(death), "no\n  way");
  EXPECT_EQ(ErrorHint(death), "another way");
  EXPECT_THAT(std::string(death.message()), HasSubstr("det-fake did not start"));
}

TEST_F(DaemonTest, EndsWhatDoesNotListen) {
  const auto started =
      StartDaemon(daemon_, {"/bin/sh", "-c", "trap '' TERM; echo on; while :; do sleep 1; done"});
  ASSERT_TRUE(started.ok()) << started.status();
  ASSERT_TRUE(det::testing::Eventually([&] { return !ReadAll(daemon_.log).empty(); }));
  const auto killed = StopDaemon(daemon_, started->id, absl::Milliseconds(50));
  ASSERT_TRUE(killed.ok()) << killed.status();
  EXPECT_TRUE(*killed);
  // That it is gone already is no error.
  EXPECT_FALSE(*StopDaemon(daemon_, started->id, absl::Milliseconds(50)));
}

}  // namespace
}  // namespace det::cli
