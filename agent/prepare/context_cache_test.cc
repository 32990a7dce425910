#include "agent/prepare/context_cache.h"

#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/testing.h"

namespace det::agent {
namespace {

namespace fs = std::filesystem;

std::string Name(int i) {
  return StrCat(std::string(63, 'a'), i);
}

class ContextCacheTest : public ::testing::Test {
 protected:
  void Open(int64_t bytes_max = 2500) {
    auto cache = ContextCache::Open(
        {.directory = dir_.path(),
         .bytes_max = bytes_max,
         .fetch = [this](const std::string& /*sha256*/, const std::string& path) {
           ++fetched_;
           return fails_.ok() ? AtomicWriteFile(path, std::string(1000, 'x'), 0600) : fails_;
         }});
    ASSERT_TRUE(cache.ok()) << cache.status();
    cache_ = *std::move(cache);
  }
  // As if it was used so long ago.
  void Age(int i, int seconds) const {
    const timespec then{.tv_sec = time(nullptr) - seconds, .tv_nsec = 0};
    const timespec times[2] = {then, then};
    ASSERT_EQ(utimensat(AT_FDCWD, Path(i).c_str(), times, 0), 0);
  }
  std::string Path(int i) const { return StrCat(dir_.path(), "/", Name(i), ".tar"); }
  bool Has(int i) const { return fs::exists(Path(i)); }

  testing::TempDir dir_;
  std::atomic<int> fetched_{0};
  absl::Status fails_;
  std::unique_ptr<ContextCache> cache_;
};

TEST_F(ContextCacheTest, FetchesOnce) {
  Open();
  EXPECT_EQ(cache_->Get(Name(1))->path(), Path(1));
  EXPECT_TRUE(cache_->Get(Name(1)).ok());
  EXPECT_EQ(fetched_, 1);
  cache_->Discard(Name(1));
  EXPECT_TRUE(cache_->Get(Name(1)).ok());
  EXPECT_EQ(fetched_, 2);
}

TEST_F(ContextCacheTest, WhatWasNotUsedForLongestGoes) {
  Open();
  (void)cache_->Get(Name(1))->path();
  (void)cache_->Get(Name(2))->path();
  Age(1, 100);
  Age(2, 50);
  (void)cache_->Get(Name(1))->path();  // used again
  (void)cache_->Get(Name(3))->path();
  EXPECT_TRUE(Has(1));
  EXPECT_FALSE(Has(2));
  EXPECT_TRUE(Has(3));
}

TEST_F(ContextCacheTest, WhatIsInUseStays) {
  Open();
  {
    const auto first = cache_->Get(Name(1));
    const auto again = cache_->Get(Name(1));
    const auto second = cache_->Get(Name(2));
    Age(1, 100);
    const auto third = cache_->Get(Name(3));
    EXPECT_TRUE(Has(1) && Has(2) && Has(3));
  }
  EXPECT_EQ(Has(1) + Has(2) + Has(3), 2);
}

TEST_F(ContextCacheTest, StartsClean) {
  for (const std::string& name : {Path(1) + ".uuid.partial", dir_ / "x.partial", dir_ / "other"})
    ASSERT_TRUE(AtomicWriteFile(name, "x", 0600).ok());
  for (const int i : {1, 2, 3, 4}) {
    ASSERT_TRUE(AtomicWriteFile(Path(i), std::string(1000, 'x'), 0600).ok());
    Age(i, 100 - i);
  }
  Open();
  EXPECT_FALSE(fs::exists(Path(1) + ".uuid.partial"));
  EXPECT_FALSE(fs::exists(dir_ / "x.partial"));
  EXPECT_TRUE(fs::exists(dir_ / "other"));  // not ours to remove
  EXPECT_TRUE(!Has(1) && !Has(2) && Has(3) && Has(4));
}

TEST_F(ContextCacheTest, AFailureIsToldAndTriedAgain) {
  Open();
  fails_ = absl::UnavailableError("away");
  EXPECT_TRUE(absl::IsUnavailable(cache_->Get(Name(1)).status()));
  fails_ = absl::OkStatus();
  EXPECT_TRUE(cache_->Get(Name(1)).ok());
  EXPECT_EQ(fetched_, 2);
  for (const std::string& name : {std::string(), std::string("../x"), std::string(64, 'G')})
    EXPECT_EQ(ErrorReason(cache_->Get(name).status()), "INVALID_CONTEXT");
}

TEST_F(ContextCacheTest, ManyWantTheSameAtOnce) {
  Open();
  std::vector<std::thread> threads;
  std::atomic<int> got{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 50; ++j) {
        const auto lease = cache_->Get(Name(j % 5));
        if (lease.ok() && ReadFile(lease->path(), 2000).ok()) ++got;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(got, 400);
}

}  // namespace
}  // namespace det::agent
