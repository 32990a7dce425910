#include "master/config/secret_store.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/testing/tmp_dir.h"

namespace det::config {
namespace {

TEST(SecretStore, KeepsWhatIsOnesOwn) {
  const TmpDir dir;
  const std::string folder = dir.path() + "/secrets";
  FolderSecretStore store(folder, {{"cluster-1", Secret("c")}});
  EXPECT_EQ(ErrorReason(store.Get("a-1", "ann").status()), "SECRET_NOT_FOUND");
  ASSERT_TRUE(store.Keep("a-1", "ann", Secret("s\n")).ok());
  EXPECT_EQ(store.Get("a-1", "ann")->Reveal(), "s\n");
  EXPECT_EQ(ErrorReason(store.Get("a-1", "bob").status()), "SECRET_NOT_FOUND");
  EXPECT_EQ(FolderSecretStore(folder).Get("a-1", "ann")->Reveal(), "s\n");
  const auto mode = std::filesystem::status(folder + "/users/a-1").permissions();
  EXPECT_EQ(static_cast<int>(mode), 0600);
  EXPECT_EQ(static_cast<int>(std::filesystem::status(folder).permissions()), 0700);
}

TEST(SecretStore, HasThoseOfEverybody) {
  const TmpDir dir;
  FolderSecretStore store(dir.path(), {{"cluster-1", Secret("c")}});
  std::ofstream(dir.path() + "/s3") << "key\n";
  EXPECT_EQ(store.Get("s3", "ann")->Reveal(), "key");
  EXPECT_EQ(store.Get("cluster-1", "bob")->Reveal(), "c");
  for (const char* name : {"", "..", "../s3", "users", "a/b"}) {
    EXPECT_EQ(ErrorReason(store.Get(name, "ann").status()), "SECRET_NOT_FOUND") << name;
    EXPECT_FALSE(store.Keep(name, "ann", Secret("x")).ok()) << name;
  }
}

}  // namespace
}  // namespace det::config
