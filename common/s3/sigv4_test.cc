#include "common/s3/sigv4.h"

#include <cstdio>
#include <fstream>
#include <memory>

#include <gtest/gtest.h>

#include "common/base/strings.h"
#include "common/base/value.h"
#include "common/testing/tmp_dir.h"

namespace det::s3 {
namespace {

// The example account of Amazon's documentation.
const SigningKey kDocumented{
    "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1", "s3"};
constexpr char kDocumentedTime[] = "20130524T000000Z";
constexpr char kHost[] = "examplebucket.s3.amazonaws.com";

CanonicalInput Documented(std::string method, std::string path) {
  return {.method = std::move(method),
          .path = std::move(path),
          .query = {},
          .headers = {{"host", kHost},
                      {"x-amz-content-sha256", std::string(kEmptyPayloadHash)},
                      {"x-amz-date", kDocumentedTime}},
          .payload_hash = std::string(kEmptyPayloadHash)};
}

std::string SignDocumented(const CanonicalInput& input) {
  return Signature(input, kDocumented, kDocumentedTime);
}

// "Signature Calculations for the Authorization Header", its four examples.
TEST(SigV4, S3DocumentationGetObject) {
  CanonicalInput input = Documented("GET", "/test.txt");
  input.headers["range"] = "bytes=0-9";
  EXPECT_EQ(Sha256Hex(CanonicalRequest(input)),
            "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972");
  EXPECT_EQ(SignDocumented(input),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  EXPECT_EQ(Authorization(input, kDocumented, kDocumentedTime),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(SigV4, S3DocumentationPutObject) {
  CanonicalInput input = Documented("PUT", EncodePath("/test$file.text"));
  input.payload_hash = Sha256Hex("Welcome to Amazon S3.");
  EXPECT_EQ(input.payload_hash, "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
  input.headers["x-amz-content-sha256"] = input.payload_hash;
  input.headers["date"] = "Fri, 24 May 2013 00:00:00 GMT";
  input.headers["x-amz-storage-class"] = "REDUCED_REDUNDANCY";
  EXPECT_EQ(SignDocumented(input),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(SigV4, S3DocumentationGetLifecycle) {
  CanonicalInput input = Documented("GET", "/");
  input.query = {{"lifecycle", ""}};
  EXPECT_EQ(SignDocumented(input),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST(SigV4, S3DocumentationListObjects) {
  CanonicalInput input = Documented("GET", "/");
  input.query = {{"prefix", "J"}, {"max-keys", "2"}};
  EXPECT_EQ(SignDocumented(input),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

// "Authenticating Requests: Using Query Parameters".
TEST(SigV4, S3DocumentationPresigned) {
  CanonicalInput input = Documented("GET", "/test.txt");
  input.headers = {{"host", kHost}};
  EXPECT_EQ(PresignedQuery(input, kDocumented, kDocumentedTime, 86400, ""),
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2F"
            "us-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&"
            "X-Amz-SignedHeaders=host&X-Amz-Signature="
            "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

// Of the suite "aws-sig-v4-test-suite".
TEST(SigV4, PublishedSuite) {
  const SigningKey key{
      "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "service"};
  const auto sign = [&](CanonicalInput input) {
    input.headers.insert({{"host", "example.amazonaws.com"}, {"x-amz-date", "20150830T123600Z"}});
    input.payload_hash = kEmptyPayloadHash;
    return Signature(input, key, "20150830T123600Z");
  };
  // get-vanilla
  EXPECT_EQ(sign({.method = "GET", .path = "/"}),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  // get-vanilla-query-order-key-case
  EXPECT_EQ(
      sign({.method = "GET", .path = "/", .query = {{"Param2", "value2"}, {"Param1", "value1"}}}),
      "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
  // post-vanilla
  EXPECT_EQ(sign({.method = "POST", .path = "/"}),
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
  // get-header-value-trim
  EXPECT_EQ(sign({.method = "GET",
                  .path = "/",
                  .headers = {{"my-header1", " value1"}, {"my-header2", " \"a   b   c\""}}}),
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
}

// "Examples of the complete Signature Version 4 signing process": the call ListUsers of IAM.
TEST(SigV4, ListUsersOfTheGuide) {
  const SigningKey key{
      "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "iam"};
  const CanonicalInput input{
      .method = "GET",
      .path = "/",
      .query = {{"Action", "ListUsers"}, {"Version", "2010-05-08"}},
      .headers = {{"content-type", "application/x-www-form-urlencoded; charset=utf-8"},
                  {"host", "iam.amazonaws.com"},
                  {"x-amz-date", "20150830T123600Z"}},
      .payload_hash = std::string(kEmptyPayloadHash)};
  EXPECT_EQ(Sha256Hex(CanonicalRequest(input)),
            "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59");
  EXPECT_EQ(Signature(input, key, "20150830T123600Z"),
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

TEST(SigV4, Digests) {
  EXPECT_EQ(Md5Base64(""), "1B2M2Y8AsgTpgAmY7PhCfg==");  // RFC 1321's of no bytes
  EXPECT_EQ(Sha256Hex(""), kEmptyPayloadHash);
}

struct Compared {
  CanonicalInput input;
  std::string token;
  int64_t presign = 0;

  std::string Url() const {
    std::string url = StrCat("https://", input.headers.at("host"), input.path);
    if (!input.query.empty()) StrAppend(url, "?", CanonicalQuery(input.query));
    return url;
  }

  std::string Json() const {
    Value out;
    out["method"] = input.method;
    out["url"] = Url();
    Value& headers = out["headers"] = Value::Object();
    for (const auto& [name, value] : input.headers) {
      if (name != "x-amz-date" && name != "x-amz-security-token") headers[name] = value;
    }
    out["timestamp"] = kDocumentedTime;
    out["access"] = kDocumented.access_key;
    out["secret"] = kDocumented.secret_key;
    out["token"] = token;
    out["presign"] = presign;
    return out.ToJson();
  }

  std::string Ours() const {
    if (presign == 0) return Authorization(input, kDocumented, kDocumentedTime);
    CanonicalInput bare = input;
    bare.headers = {{"host", input.headers.at("host")}};
    bare.query = {};
    return StrCat("https://",
                  input.headers.at("host"),
                  input.path,
                  "?",
                  PresignedQuery(bare, kDocumented, kDocumentedTime, presign, token));
  }
};

// Names and values that go wrong where something is encoded once too little or too often.
std::vector<Compared> Cases() {
  const std::vector<std::string> keys = {"plain",
                                         "a/b/c.pt",
                                         "sp ace+plus",
                                         "~tilde-_.",
                                         "per%cent%2F",
                                         "a//b/./c/../d",
                                         "u\u00fcml\u00e4ut/\u4f60\u597d",
                                         "quote'\"<&>;=?#[]@!$()*,",
                                         "back\\slash|{}^`"};
  std::vector<Compared> cases;
  for (const std::string& key : keys) {
    for (const char* method : {"GET", "PUT", "DELETE", "HEAD"}) {
      CanonicalInput input = Documented(method, "/" + EncodePath(key));
      cases.push_back({input, "", 0});
      input.query = {{"uploadId", key}, {"partNumber", "7"}, {"empty", ""}, {"a b", "c/d+e"}};
      cases.push_back({input, "", 0});
      input.headers["x-amz-security-token"] = "token/+=";
      cases.push_back({input, "token/+=", 0});
    }
    CanonicalInput input = Documented("GET", "/" + EncodePath(key));
    input.headers = {{"host", kHost}};
    cases.push_back({input, "", 3600});
  }
  return cases;
}

TEST(SigV4, SignsAsBotocoreDoes) {
  const TmpDir dir;
  const std::vector<Compared> cases = Cases();
  std::ofstream in(dir / "cases");
  for (const Compared& one : cases) in << one.Json() << "\n";
  in.close();
  const std::string command = StrCat("/usr/bin/python3 ",
                                     DET_SOURCE_DIR,
                                     "/common/s3/testing/botocore_sign.py < ",
                                     dir / "cases",
                                     " > ",
                                     dir / "out");
  ASSERT_EQ(std::system(command.c_str()), 0) << "python3-botocore is missing: ./dev setup";
  std::ifstream out(dir / "out");
  for (const Compared& one : cases) {
    std::string theirs;
    ASSERT_TRUE(std::getline(out, theirs));
    EXPECT_EQ(one.Ours(), theirs) << one.Json();
  }
}

}  // namespace
}  // namespace det::s3
