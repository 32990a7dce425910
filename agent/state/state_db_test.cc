#include "agent/state/state_db.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "agent/testing/small_disk.h"
#include "common/base/archive.h"
#include "common/base/status.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"

namespace det::agent {
namespace {

namespace fs = std::filesystem;

Held Record(int64_t id) {
  return {.id = AllocationId(id),
          .run = 3,
          .slots = {1, 2},
          .order = std::string("order\0\xff", 7),
          .phase = Phase::kRunning,
          .level = StopLevel::kPreempt,
          .level_reason = "why",
          .watches_preemption = true,
          .exit = {.kind = ExitKind::kSignaled, .signal = 9, .text = "t"},
          .drained = true};
}

class StateDbTest : public ::testing::Test {
 protected:
  StateDb Open() {
    auto state = StateDb::Open(dir_ / "state");
    EXPECT_TRUE(state.ok()) << state.status();
    return *std::move(state);
  }
  std::string PathOf(int64_t id) const { return StrCat(dir_ / "state/", id, ".held"); }
  std::string Read(int64_t id) const { return ReadFile(PathOf(id), 1 << 20).value_or(""); }
  void Write(int64_t id, const std::string& bytes) const {
    ASSERT_TRUE(AtomicWriteFile(PathOf(id), bytes, 0600).ok());
  }

  testing::TempDir dir_;
};

TEST_F(StateDbTest, KeepsWhatWasSaved) {
  StateDb state = Open();
  EXPECT_TRUE(state.Load()->held.empty());
  ASSERT_TRUE(state.Save(Record(1)).ok());
  ASSERT_TRUE(state.Save(Record(2)).ok());
  Held changed = Record(1);
  changed.phase = Phase::kExited;
  ASSERT_TRUE(state.Save(changed).ok());
  ASSERT_TRUE(state.Forget(AllocationId(2)).ok());
  EXPECT_TRUE(state.Forget(AllocationId(2)).ok());
  const auto loaded = *Open().Load();
  ASSERT_EQ(loaded.held.size(), 1);
  EXPECT_EQ(EncodeArchive(loaded.held[0]), EncodeArchive(changed));
  EXPECT_TRUE(loaded.damaged.empty());
}

TEST_F(StateDbTest, ADamagedRecordIsToldAndKeptAndTheRestIsRead) {
  StateDb state = Open();
  ASSERT_TRUE(state.Save(Record(1)).ok());
  const std::string good = Read(1);
  std::vector<std::string> bad = {"", "nonsense", good.substr(0, good.size() / 2), good + "x"};
  // Any byte that turned over.
  for (size_t i = 0; i < good.size(); i += 7) {
    bad.push_back(good);
    bad.back()[i] = static_cast<char>(bad.back()[i] ^ 0x20);
  }
  for (const std::string& bytes : bad) {
    ASSERT_TRUE(state.Save(Record(2)).ok());
    Write(1, bytes);
    const auto loaded = state.Load();
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    ASSERT_EQ(loaded->held.size(), 1);
    EXPECT_EQ(loaded->held[0].id, AllocationId(2));
    ASSERT_EQ(loaded->damaged.size(), 1);
    EXPECT_EQ(loaded->damaged[0].id, AllocationId(1));
    EXPECT_THAT(loaded->damaged[0].cause, ::testing::HasSubstr(PathOf(1)));
    EXPECT_EQ(*ReadFile(loaded->damaged[0].kept, 1 << 20), bytes);
    EXPECT_EQ(state.Load()->damaged.size(), 1);  // until something is saved in its place
  }
  ASSERT_TRUE(state.Save(Record(1)).ok());
  EXPECT_EQ(state.Load()->held.size(), 2);
  EXPECT_TRUE(state.Load()->damaged.empty());
}

TEST_F(StateDbTest, ARecordUnderAnothersNameIsDamaged) {
  StateDb state = Open();
  ASSERT_TRUE(state.Save(Record(1)).ok());
  fs::copy(PathOf(1), PathOf(2));
  EXPECT_EQ(state.Load()->damaged[0].id, AllocationId(2));
  ASSERT_TRUE(state.Forget(AllocationId(2)).ok());
  // What can't be read at all is no reason not to start.
  fs::create_directory(PathOf(3));
  ASSERT_TRUE(RemoveTree(PathOf(3)).ok());
}

TEST_F(StateDbTest, AnotherVersionIsNotTouched) {
  StateDb state = Open();
  ASSERT_TRUE(state.Save(Record(1)).ok());
  Write(2, "nonsense");
  std::string newer = Read(1);
  newer.replace(newer.find(" 2 "), 3, " 3 ");
  Write(1, newer);
  const absl::Status status = state.Load().status();
  EXPECT_EQ(ErrorReason(status), "STATE_VERSION");
  EXPECT_NE(ErrorHint(status), "");
  EXPECT_EQ(Read(1), newer);
  EXPECT_FALSE(fs::exists(PathOf(2) + ".damaged"));
}

TEST_F(StateDbTest, OtherFilesAreLeftAlone) {
  StateDb state = Open();
  for (const char* name :
       {"x.held", "1.held.tmp", "-1.held", "01.held", "0.held", "1.held.damaged"})
    ASSERT_TRUE(AtomicWriteFile(StrCat(dir_ / "state/", name), "x", 0600).ok());
  const auto loaded = *state.Load();
  EXPECT_TRUE(loaded.held.empty());
  EXPECT_TRUE(loaded.damaged.empty());
}

TEST(StateDb, OnAFullDiskThereIsAReserve) {
  const SmallDisk disk("8m");
  if (!disk.why_not().empty()) GTEST_SKIP() << disk.why_not();
  auto state = StateDb::Open(disk / "state");
  ASSERT_TRUE(state.ok()) << state.status();
  ASSERT_TRUE(state->Save(Record(1)).ok());
  disk.Fill();
  // An order to stop can be saved; then the room is given up.
  Held stopped = Record(1);
  stopped.level = StopLevel::kKill;
  EXPECT_TRUE(state->Save(stopped).ok());
  EXPECT_EQ(state->Load()->held[0].level, StopLevel::kKill);
  disk.Fill();
  const absl::Status full = state->Save(Record(1));
  EXPECT_TRUE(IsDiskFull(full)) << full;
  EXPECT_EQ(state->Load()->held[0].level, StopLevel::kKill);
  disk.MakeRoom();
  EXPECT_TRUE(state->Save(Record(1)).ok());
  disk.Fill();
  EXPECT_TRUE(state->Save(stopped).ok());  // it was taken again
}

}  // namespace
}  // namespace det::agent
