#include "common/s3/client.h"

#include <algorithm>
#include <set>

#include <fcntl.h>
#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/s3/testing/s3_server.h"

// What the client promises, asked of a real server. faults_test.cc has what a good server never
// does.
namespace det::s3 {
namespace {

class S3ClientTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new S3Server(); }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }

  S3ClientTest() {
    std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    std::transform(name.begin(), name.end(), name.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    bucket_ = StrCat("bucket-", name.substr(0, 50));
    client_ = server_->MakeBucket(bucket_);
  }

  std::unique_ptr<Client> With(const std::function<void(ClientOptions&)>& change) const {
    ClientOptions options = server_->Options(bucket_);
    change(options);
    absl::StatusOr<std::unique_ptr<Client>> client = Client::Create(std::move(options));
    EXPECT_TRUE(client.ok()) << client.status();
    return *std::move(client);
  }

  std::string Fetch(const std::string& key) {
    const std::string path = dir_ / "fetched";
    const auto fd = OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    EXPECT_TRUE(fd.ok());
    int64_t told = 0;
    const auto info = client_->GetToFile(key, fd->get(), [&](int64_t bytes) { told += bytes; });
    EXPECT_TRUE(info.ok()) << info.status();
    const std::string content = ReadFile(path, 1 << 28).value_or("unreadable");
    EXPECT_EQ(told, static_cast<int64_t>(content.size()));
    return content;
  }

  std::vector<std::string> Keys(ListQuery query) {
    std::vector<std::string> keys;
    for (;;) {
      const absl::StatusOr<Listing> page = client_->List(query);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) return keys;
      for (const Object& object : page->objects) keys.push_back(object.key);
      if (page->next.empty()) return keys;
      query.continuation = page->next;
    }
  }

  static S3Server* server_;
  TmpDir dir_;
  std::string bucket_;
  std::unique_ptr<Client> client_;
};
S3Server* S3ClientTest::server_ = nullptr;

TEST_F(S3ClientTest, PutHeadGet) {
  ASSERT_TRUE(client_->Put("a/b", "hello").ok());
  const auto info = client_->Head("a/b");
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->bytes, 5);
  EXPECT_FALSE(info->etag.empty());
  EXPECT_EQ(client_->Get("a/b", 100).value_or("?"), "hello");
  EXPECT_EQ(client_->GetRange("a/b", 1, 3).value_or("?"), "ell");
  EXPECT_EQ(Fetch("a/b"), "hello");
  EXPECT_EQ(ErrorReason(client_->Get("a/b", 4).status()), "FILE_TOO_LARGE");
}

TEST_F(S3ClientTest, EmptyObject) {
  ASSERT_TRUE(client_->Put("empty", "").ok());
  EXPECT_EQ(client_->Head("empty")->bytes, 0);
  EXPECT_EQ(Fetch("empty"), "");
}

TEST_F(S3ClientTest, WhatIsNotThere) {
  EXPECT_EQ(ErrorReason(client_->Head("none").status()), "S3_NO_SUCH_KEY");
  const absl::Status status = client_->Get("none", 10).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_NE(status.message().find("s3://" + bucket_ + "/none"), std::string::npos) << status;
  EXPECT_TRUE(client_->Delete("none").ok());
  const auto other = With([](ClientOptions& options) { options.bucket = "no-such-bucket"; });
  EXPECT_EQ(ErrorReason(other->Get("x", 10).status()), "S3_NO_SUCH_BUCKET");
  EXPECT_EQ(ErrorReason(other->Put("x", "y")), "S3_NO_SUCH_BUCKET");
}

TEST_F(S3ClientTest, KeysOfEveryKind) {
  const std::set<std::string> keys = {"space and+plus",
                                      "per%cent%2Fkey",
                                      "a//double/./dot/../dots",
                                      "\u00fcml\u00e4ut/\u4f60\u597d",
                                      "quote'\"<&>;=?#[]@!$()*,~",
                                      "back\\slash|{}^`",
                                      "tab\tand\nline",
                                      std::string(900, 'x')};
  for (const std::string& key : keys) {
    ASSERT_TRUE(client_->Put(key, key).ok()) << key;
    EXPECT_EQ(client_->Get(key, 2000).value_or("?"), key);
  }
  const std::vector<std::string> listed = Keys({});
  EXPECT_EQ(std::set<std::string>(listed.begin(), listed.end()), keys);
  const auto failed = client_->DeleteObjects({keys.begin(), keys.end()});
  ASSERT_TRUE(failed.ok()) << failed.status();
  EXPECT_TRUE(failed->empty());
  EXPECT_TRUE(Keys({}).empty());
}

TEST_F(S3ClientTest, ListsInPages) {
  std::vector<std::string> keys;
  for (int i = 0; i < 25; ++i) keys.push_back(StrCat("p/", i / 10, "/", i));
  for (const std::string& key : keys) ASSERT_TRUE(client_->Put(key, "x").ok());
  ASSERT_TRUE(client_->Put("q", "xy").ok());
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(Keys({.prefix = "p/", .max_keys = 7}), keys);
  const auto page = client_->List({.prefix = "p/", .delimiter = "/"});
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_TRUE(page->objects.empty());
  EXPECT_EQ(page->prefixes, (std::vector<std::string>{"p/0/", "p/1/", "p/2/"}));
  EXPECT_EQ(client_->List({.prefix = "q"})->objects[0].bytes, 2);
}

TEST_F(S3ClientTest, DeletesInBatches) {
  std::vector<std::string> keys;
  for (int i = 0; i < 30; ++i) {
    keys.push_back(StrCat("d/", i, "<&>"));
    ASSERT_TRUE(client_->Put(keys.back(), "x").ok());
  }
  keys.push_back("d/never-there");
  const auto failed = client_->DeleteObjects(keys);
  ASSERT_TRUE(failed.ok()) << failed.status();
  EXPECT_TRUE(failed->empty());
  EXPECT_TRUE(Keys({.prefix = "d/"}).empty());
}

TEST_F(S3ClientTest, LargeFilesGoUpInParts) {
  std::string content;
  for (int i = 0; content.size() < 1'000'000; ++i) StrAppend(content, i, ",");
  const std::string path = dir_ / "large";
  ASSERT_TRUE(AtomicWriteFile(path, content, 0600).ok());
  const auto parted = With([](ClientOptions& options) { options.part_bytes = 300'000; });
  ASSERT_TRUE(parted->PutFile("large", path).ok());
  EXPECT_EQ(client_->Head("large")->bytes, static_cast<int64_t>(content.size()));
  EXPECT_EQ(Fetch("large"), content);
  EXPECT_EQ(client_->GetRange("large", 299'990, 20).value_or("?"), content.substr(299'990, 20));
  // In one piece, for comparison.
  ASSERT_TRUE(client_->PutFile("single", path).ok());
  EXPECT_EQ(Fetch("single"), content);
}

TEST_F(S3ClientTest, AnUploadShowsOnlyWhenItIsWhole) {
  const auto upload = client_->CreateUpload("parted");
  ASSERT_TRUE(upload.ok()) << upload.status();
  const std::string piece(70'000, 'p');
  const auto part = client_->UploadPart("parted", *upload, 1, {.bytes = piece});
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_TRUE(absl::IsNotFound(client_->Head("parted").status()));
  ASSERT_TRUE(client_->AbortUpload("parted", *upload).ok());
  EXPECT_TRUE(client_->AbortUpload("parted", *upload).ok());
  EXPECT_EQ(ErrorReason(client_->CompleteUpload("parted", *upload, {*part}, 70'000)),
            "S3_NO_SUCH_UPLOAD");
  EXPECT_TRUE(Keys({}).empty());
}

TEST_F(S3ClientTest, OnlyFilesGoUp) {
  ASSERT_TRUE(MakeDirs(dir_ / "folder", 0700).ok());
  EXPECT_FALSE(client_->PutFile("x", dir_ / "folder").ok());
  ASSERT_EQ(::symlink("/etc/passwd", (dir_ / "link").c_str()), 0);
  EXPECT_FALSE(client_->PutFile("x", dir_ / "link").ok());
  EXPECT_TRUE(absl::IsNotFound(client_->PutFile("x", dir_ / "none")));
  EXPECT_TRUE(Keys({}).empty());
}

TEST_F(S3ClientTest, VirtualHostsToo) {
  ASSERT_TRUE(client_->Put("k e/y", "one").ok());
  const auto virtual_host = With([&](ClientOptions& options) {
    options.endpoint_url = StrCat("http://localhost:", server_->port());
    options.addressing = Addressing::kVirtualHost;
  });
  EXPECT_EQ(virtual_host->Get("k e/y", 100).value_or("?"), "one");
  ASSERT_TRUE(virtual_host->Put("k2", "two").ok());
  EXPECT_EQ(client_->Get("k2", 100).value_or("?"), "two");
  EXPECT_EQ(virtual_host->List({.prefix = "k"})->objects.size(), 2U);
}

TEST_F(S3ClientTest, WrongKeysAreRefusedAndNeverTold) {
  const auto with = [&](std::string access, std::string secret) {
    return With([&](ClientOptions& options) {
      options.credentials = [=]() -> absl::StatusOr<Credentials> {
        return Credentials{access, Secret(secret), Secret()};
      };
    });
  };
  for (const auto& client : {with(S3Server::kAccessKey, "wrong-secret"), with("nobody:x", "y")}) {
    const absl::Status status = client->Put("x", "y");
    EXPECT_EQ(ErrorReason(status), "S3_DENIED") << status;
    EXPECT_EQ(status.ToString().find("wrong-secret"), std::string::npos) << status;
  }
}

TEST_F(S3ClientTest, AWrongRegionIsNamed) {
  const auto elsewhere = With([](ClientOptions& options) { options.region = "eu-west-7"; });
  const absl::Status status = elsewhere->Put("x", "y");
  EXPECT_EQ(ErrorReason(status), "S3_WRONG_REGION") << status;
  EXPECT_NE(ErrorHint(status).find("us-east-1"), std::string::npos) << ErrorHint(status);
}

TEST_F(S3ClientTest, PresignedUrlsOpenOneObject) {
  ASSERT_TRUE(client_->Put("pre signed", "content").ok());
  const auto url = client_->PresignGet("pre signed", absl::Minutes(1));
  ASSERT_TRUE(url.ok()) << url.status();
  Http http({});
  EXPECT_EQ(http.Send({.method = "GET", .url = *url}, nullptr)->body, "content");
  std::string other = *url;
  other.replace(other.find("signed"), 6, "opened");
  EXPECT_EQ(http.Send({.method = "GET", .url = other}, nullptr)->status, 403);
}

TEST_F(S3ClientTest, FilesChangeAndVanish) {
  const std::string path = dir_ / "f";
  ASSERT_TRUE(AtomicWriteFile(path, std::string(200'000, 'a'), 0600).ok());
  const auto fd = OpenFile(path, O_RDWR);
  ASSERT_TRUE(fd.ok());
  const auto upload = client_->CreateUpload("f");
  ASSERT_EQ(::ftruncate(fd->get(), 1000), 0);
  const auto part =
      client_->UploadPart("f", *upload, 1, {.fd = fd->get(), .offset = 0, .size = 200'000});
  EXPECT_EQ(ErrorReason(part.status()), "FILE_CHANGED") << part.status();
}

}  // namespace
}  // namespace det::s3
