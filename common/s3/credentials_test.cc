#include "common/s3/credentials.h"

#include <map>

#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/os/fs.h"
#include "common/testing/tmp_dir.h"

namespace det::s3 {
namespace {

Environment Of(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const char* name) -> std::optional<std::string> {
    const auto found = values.find(name);
    if (found == values.end()) return std::nullopt;
    return found->second;
  };
}

class CredentialsTest : public testing::Test {
 protected:
  CredentialsTest() {
    EXPECT_TRUE(AtomicWriteFile(file_,
                                "# ours\n[default]\naws_access_key_id = A\n"
                                "aws_secret_access_key=S=/+\n\n[profile team]\r\n"
                                "aws_access_key_id=B\r\naws_secret_access_key = T\r\n"
                                "aws_session_token = X\r\n[half]\naws_access_key_id=C\n",
                                0600)
                    .ok());
  }
  TmpDir dir_;
  const std::string file_ = dir_ / "credentials";
};

TEST_F(CredentialsTest, TheEnvironmentComesFirst) {
  const auto found = FindCredentials({},
                                     Of({{"AWS_ACCESS_KEY_ID", "E"},
                                         {"AWS_SECRET_ACCESS_KEY", "F"},
                                         {"AWS_SESSION_TOKEN", "G"},
                                         {"AWS_SHARED_CREDENTIALS_FILE", file_}}));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->access_key, "E");
  EXPECT_EQ(found->secret_key.Reveal(), "F");
  EXPECT_EQ(found->session_token.Reveal(), "G");
}

TEST_F(CredentialsTest, ANamedProfileWinsOverTheEnvironment) {
  const auto found =
      FindCredentials({.profile = "team", .file = file_},
                      Of({{"AWS_ACCESS_KEY_ID", "E"}, {"AWS_SECRET_ACCESS_KEY", "F"}}));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->access_key, "B");
  EXPECT_EQ(found->secret_key.Reveal(), "T");
  EXPECT_EQ(found->session_token.Reveal(), "X");
}

TEST_F(CredentialsTest, ProfilesOfTheEnvironmentAndTheDefault) {
  auto found = FindCredentials({}, Of({{"AWS_SHARED_CREDENTIALS_FILE", file_}}));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->secret_key.Reveal(), "S=/+");
  found =
      FindCredentials({}, Of({{"AWS_SHARED_CREDENTIALS_FILE", file_}, {"AWS_PROFILE", "team"}}));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->access_key, "B");
}

TEST_F(CredentialsTest, SecretsAndVariablesByTheirNames) {
  CredentialsSource source{.access_key_ref = "env:THE_KEY", .secret_key_ref = "team"};
  const auto environment = Of({{"THE_KEY", "A"}, {"AWS_ACCESS_KEY_ID", "not this"}});
  const absl::Status nowhere = FindCredentials(source, environment).status();
  EXPECT_EQ(ErrorReason(nowhere), "S3_NO_CREDENTIALS");
  EXPECT_NE(nowhere.message().find("\"team\""), std::string::npos);
  source.secrets = [](const std::string& name) { return Secret(name + "'s key"); };
  const auto found = FindCredentials(source, environment);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->access_key, "A");
  EXPECT_EQ(found->secret_key.Reveal(), "team's key");
  EXPECT_EQ(ErrorReason(FindCredentials(source, Of({})).status()), "S3_NO_CREDENTIALS");
}

TEST_F(CredentialsTest, SaysWhereItLookedAndNothingOfWhatItSaw) {
  const auto found = FindCredentials({.profile = "half", .file = file_}, Of({}));
  EXPECT_EQ(ErrorReason(found.status()), "S3_NO_CREDENTIALS");
  EXPECT_NE(found.status().message().find(file_), std::string::npos);
  EXPECT_NE(found.status().message().find("[half]"), std::string::npos);
  EXPECT_EQ(found.status().message().find("C\n"), std::string::npos);
  const auto none = FindCredentials({}, Of({{"HOME", dir_ / "nobody"}}));
  EXPECT_EQ(ErrorReason(none.status()), "S3_NO_CREDENTIALS");
  EXPECT_NE(none.status().message().find("AWS_ACCESS_KEY_ID"), std::string::npos);
}

}  // namespace
}  // namespace det::s3
