#include "common/storage/paths.h"

#include <functional>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "common/base/status.h"
#include "common/storage/place.h"

namespace det::storage {
namespace {

TEST(Paths, NamesThatLeadNowhereElse) {
  for (const char* good : {"a", "a/b", "a.b/..c", "-", "\u00fc", "a b"}) {
    EXPECT_TRUE(CheckPath(good).ok()) << good;
  }
  for (const std::string& bad : std::vector<std::string>{"",
                                                         "/",
                                                         "/a",
                                                         "a/",
                                                         "a//b",
                                                         ".",
                                                         "..",
                                                         "a/../b",
                                                         "a/.",
                                                         ".det-complete.json",
                                                         std::string("a\0b", 3),
                                                         std::string(5000, 'x')}) {
    EXPECT_EQ(ErrorReason(CheckPath(bad)), "UNSAFE_NAME") << bad;
  }
  EXPECT_TRUE(CheckUuid("550e8400-e29b-41d4-a716-446655440000").ok());
  for (const char* bad : {"", ".", "..", ".tmp-x", "a/b", "/"}) {
    EXPECT_EQ(ErrorReason(CheckUuid(bad)), "UNSAFE_NAME") << bad;
  }
}

TEST(Paths, Globs) {
  struct Case {
    const char* glob;
    const char* path;
    bool matches;
  };
  for (const Case& c : std::vector<Case>{{"optimizer*", "optimizer.pt", true},
                                         {"optimizer*", "optimizer/state.pt", true},
                                         {"optimizer*", "a/optimizer.pt", false},
                                         {"*", "a/b/c", true},
                                         {"*.pt", "a.pt", true},
                                         {"*.pt", "a/b.pt", false},
                                         {"**/*.pt", "b.pt", true},
                                         {"**/*.pt", "a/c/b.pt", true},
                                         {"**", "a/b", true},
                                         {"a/**", "a/b", true},
                                         {"a/**/z", "a/z", true},
                                         {"a/**/z", "a/b/c/z", true},
                                         {"a/**/z", "b/z", false},
                                         {"?.pt", "a.pt", true},
                                         {"?.pt", "ab.pt", false},
                                         {"[a-c]x", "bx", true},
                                         {"[!a-c]x", "bx", false},
                                         {"[!a-c]x", "dx", true},
                                         {"[]x", "[]x", true},
                                         {"[ab", "[ab", true},
                                         {"a*b*c", "aXbYc", true},
                                         {"a*b*c", "aXbY", false}}) {
    EXPECT_EQ(MatchesGlob(c.glob, c.path), c.matches) << c.glob << " " << c.path;
  }
  for (const char* bad : {"", "/etc/*", "../*", "a//b", "a/../../b"}) {
    EXPECT_EQ(ErrorReason(CheckGlob(bad)), "INVALID_GLOB") << bad;
  }
}

// What "*" and "?" mean, in the shortest way to say it.
bool Plainly(const std::string& glob, const std::string& name) {
  if (glob.empty()) return name.empty();
  if (glob[0] == '*') {
    return Plainly(glob.substr(1), name) || (!name.empty() && Plainly(glob, name.substr(1)));
  }
  return !name.empty() && (glob[0] == '?' || glob[0] == name[0]) &&
         Plainly(glob.substr(1), name.substr(1));
}

RC_GTEST_PROP(Paths, GlobsAgreeWithTheirMeaning, ()) {
  const auto glob = *rc::gen::container<std::string>(rc::gen::element('a', 'b', '*', '?'));
  const auto name = *rc::gen::container<std::string>(rc::gen::element('a', 'b'));
  RC_PRE(!glob.empty() && glob.find("**") == std::string::npos && !name.empty());
  RC_ASSERT(MatchesGlob(glob, name) == Plainly(glob, name));
}

TEST(Paths, ShardsOfSeveralRanks) {
  FileMap files;
  EXPECT_TRUE(MergeShard({{"a", 1}, {"d/x", 2}}, &files).ok());
  EXPECT_TRUE(MergeShard({{"b", 1}, {"d/y", 2}}, &files).ok());
  EXPECT_EQ(files.size(), 4U);
  for (const char* same : {"a", "d", "a/b", "d/x/y"}) {
    EXPECT_EQ(ErrorReason(MergeShard({{same, 9}}, &files)), "SHARD_CONFLICT") << same;
  }
  EXPECT_TRUE(MergeShard({{"d-", 1}, {"a0", 2}}, &files).ok());
}

TEST(Place, UrlsAndBack) {
  for (const Place& place :
       std::vector<Place>{SharedFs{"/c/big"},
                          Directory{"/data/c"},
                          S3{.bucket = "b"},
                          S3{.bucket = "b", .prefix = "a b/\u00fc+%&?#", .region = "eu-west-1"},
                          S3{"b", "p", "http://127.0.0.1:9000", "r", "KEY_NAME", "SECRET_NAME"},
                          GoogleBucket("b", "p/q")}) {
    const auto back = ParseUrl(ToUrl(place));
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(*back, place) << ToUrl(place);
  }
  for (const char* bad :
       {"", "relative", "azure://x", "dir:x", "s3://", "s3://b?x=1", "s3://%zz"}) {
    EXPECT_EQ(ErrorReason(ParseUrl(bad).status()), "INVALID_STORAGE") << bad;
  }
  EXPECT_EQ(CheckpointUrl(S3{.bucket = "b"}, "u"), "s3://b/u");
  EXPECT_EQ(CheckpointUrl(SharedFs{"/c"}, "u"), "/c/u");
}

}  // namespace
}  // namespace det::storage
