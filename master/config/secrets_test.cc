#include "master/config/secrets.h"

#include <gtest/gtest.h>

#include "master/config/experiment_config.h"

namespace det::config {
namespace {

constexpr char kBase[] = "entrypoint: x\nsearcher: {name: single, metric: m}\n";

absl::StatusOr<ParsedConfig> Parse(std::string text, std::vector<std::string> overrides = {}) {
  return ParseExperimentConfig({.text = std::move(text),
                                .name = "t.yaml",
                                .overrides = std::move(overrides),
                                .secret_prefix = "kept"},
                               {.checkpoint_host_path = "/c"});
}

TEST(Secrets, AreTakenOutOfTheConfiguration) {
  const std::string text =
      std::string(kBase) +
      "checkpoint_storage:  # here\n  type: s3\n  bucket: b\n"
      "  access_key: AKIAEXAMPLE  # mine\n  secret_key: \"wJalr\\\"XUtnFEMI\"\n"
      "environment:\n  registry_auth: {username: me, password: hunter2hunter2}\n";
  const auto parsed = Parse(text);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const std::string effective = spec::ToValue(parsed->spec).ToJson();
  std::string told;
  for (const std::string& warning : parsed->warnings) told += warning;
  for (const char* secret : {"AKIAEXAMPLE", "wJalr", "hunter2"}) {
    EXPECT_EQ(effective.find(secret), std::string::npos) << secret;
    EXPECT_EQ(parsed->text.find(secret), std::string::npos) << secret;
    EXPECT_EQ(told.find(secret), std::string::npos) << secret << told;
  }
  ASSERT_EQ(parsed->secrets.size(), 3U);
  EXPECT_EQ(parsed->secrets[0].name, "kept-1");
  EXPECT_EQ(parsed->secrets[0].value.Reveal(), "AKIAEXAMPLE");
  EXPECT_EQ(parsed->secrets[1].value.Reveal(), "wJalr\"XUtnFEMI");
  EXPECT_EQ(parsed->secrets[2].value.Reveal(), R"({"password":"hunter2hunter2","username":"me"})");
  const auto& s3 = std::get<spec::S3Spec>(parsed->spec.checkpoint_storage.place);
  EXPECT_EQ(s3.access_key_ref, "kept-1");
  EXPECT_EQ(s3.secret_key_ref, "kept-2");
  EXPECT_EQ(parsed->spec.environment.registry_auth_ref, "kept-3");
  // The text keeps its form, and its comments.
  EXPECT_EQ(parsed->text,
            std::string(kBase) +
                "checkpoint_storage:  # here\n  type: s3\n  bucket: b\n"
                "  access_key: \"********\"  # mine\n  secret_key: \"********\"\n"
                "environment:\n  registry_auth: \"********\"\n");
  EXPECT_TRUE(Parse(effective).ok());
}

TEST(Secrets, ReferencesStay) {
  const auto parsed = Parse(std::string(kBase) +
                            "checkpoint_storage: {type: s3, bucket: b, access_key: {secret: a.b-c},"
                            " secret_key: {environment: KEY}}\n");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_TRUE(parsed->secrets.empty());
  const auto& s3 = std::get<spec::S3Spec>(parsed->spec.checkpoint_storage.place);
  EXPECT_EQ(s3.access_key_ref, "a.b-c");
  EXPECT_EQ(s3.secret_key_ref, "env:KEY");
  for (const char* bad : {"{secret: ../x}",
                          "{secret: a, environment: b}",
                          "{secret: \"\"}",
                          "{secret: [a]}",
                          "[a]",
                          "{secrt: a}",
                          "********",
                          "{secret: .a}"}) {
    EXPECT_FALSE(Parse(std::string(kBase) +
                       "checkpoint_storage: {type: s3, bucket: b, access_key: " + bad +
                       ", secret_key: {secret: x}}\n")
                     .ok())
        << bad;
  }
}

// Whatever is wrong beside it.
TEST(Secrets, AreInNoError) {
  const std::string secret = "S3cr3tS3cr3t";
  const std::string storages[] = {
      "checkpoint_storage: {secret_key: " + secret + ", type: s3, bucket: b, typo: 1}\n",
      "checkpoint_storage: {type: s3, bucket: b, typo: 1, secret_key: '" + secret + "'}\n",
      "checkpoint_storage: {type: azure, container: c, connection_string: " + secret + "}\n",
      "checkpoint_storage: {type: s3, secret_key: " + secret + ": [}\n",
      "checkpoint_storage:\n  type: s3\n  secret_key: >\n    a b\n    " + secret + "\n  typo: 1\n",
      "checkpoint_storage: {type: s3, secret_key: [" + secret + "]}\n",
      "checkpoint_storage: {type: s3, secret_key: \"a\n   " + secret + "\", typo: 1}\n",
      "environment: {registry_auth: {password: " + secret + ", pasword: " + secret + "}}\n",
      "environment: {registry_auth: {password: " + secret + "}, typo: 1}\n",
      "environment: {registry_auth: " + secret + "}\n",
  };
  for (const std::string& storage : storages) {
    const auto parsed = Parse(kBase + storage);
    ASSERT_FALSE(parsed.ok()) << storage;
    EXPECT_EQ(parsed.status().message().find(secret), std::string::npos) << parsed.status();
  }
  for (const std::string& override : {"checkpoint_storage={type: s3, secret_key: " + secret + "}",
                                      "checkpoint_storage.secret_key=" + secret,
                                      "checkpoint_storage.secret_key=[" + secret,
                                      "checkpoint_storage.secret_key.x=" + secret,
                                      "environment.registry_auth={passwrd: " + secret + "}"}) {
    const auto parsed = Parse(kBase, {override});
    ASSERT_FALSE(parsed.ok()) << override;
    EXPECT_EQ(parsed.status().message().find(secret), std::string::npos) << parsed.status();
  }
}

TEST(Secrets, AreInNoTextWhateverItsForm) {
  const std::string secret = "S3cr3tS3cr3t";
  for (const std::string& text :
       {"checkpoint_storage: {secret_key: " + secret + ", access_key: '" + secret + "'}\n",
        "checkpoint_storage:\n  secret_key: |\n    " + secret + "\n  type: s3\n",
        "checkpoint_storage:\n  secret_key: " + secret + "\n    " + secret + "\n",
        "checkpoint_storage:\n  secret_key: !!str " + secret + "\n",
        "data: &k " + secret + "\ncheckpoint_storage: {secret_key: *k}\n# " + secret,
        "x: 1 # " + secret + "\ncheckpoint_storage: {secret_key: " + secret + "}\n",
        "\xEF\xBB\xBF{\"checkpoint_storage\": {\"secret_key\":\n\"" + secret + "\"}}",
        "environment: {registry_auth: {auth: [" + secret + ", {a: " + secret + "}]}}\n",
        "checkpoint_storage: {secret_key: [" + secret + "\n"}) {
    const std::string hidden = HideSecrets(text);
    if (text.starts_with("data")) continue;  // it is data too, and warned of
    EXPECT_EQ(hidden.find(secret), std::string::npos) << hidden;
  }
  EXPECT_EQ(HideSecrets("a: 1 # token: x\n"), "a: 1 # token: x\n");
}

TEST(Secrets, CopiesAreWarnedOf) {
  const auto parsed =
      Parse(std::string(kBase) +
            "checkpoint_storage: {type: s3, bucket: b, access_key: AKIAEXAMPLE, secret_key: "
            "longenough}\nenvironment: {environment_variables: [AWS_KEY=longenough]}\n");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  ASSERT_EQ(parsed->warnings.size(), 1U);
  EXPECT_NE(parsed->warnings[0].find("stands elsewhere"), std::string::npos);
}

}  // namespace
}  // namespace det::config
