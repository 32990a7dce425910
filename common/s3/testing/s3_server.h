#pragma once

#include <memory>
#include <string>

#include "common/os/unique_fd.h"
#include "common/s3/client.h"
#include "common/testing/tmp_dir.h"

namespace det::s3 {

// A real S3 server for one test program: OpenStack Swift with its S3 layer (docs/adr/0010), in a
// process of its own that ends with this object or with the test, whichever comes first.
class S3Server {
 public:
  static constexpr char kAccessKey[] = "det:tester";
  static constexpr char kSecretKey[] = "not-a-secret-but-long-enough";

  // Fails the test when the server can't be started. Takes about a second.
  S3Server();
  ~S3Server();
  S3Server(const S3Server&) = delete;
  S3Server& operator=(const S3Server&) = delete;

  int port() const { return port_; }
  std::string url() const;
  // A client's options for a bucket of that name, with little patience.
  ClientOptions Options(const std::string& bucket) const;
  // The same bucket, made.
  std::unique_ptr<Client> MakeBucket(const std::string& bucket) const;

 private:
  TmpDir folder_;
  UniqueFd input_;
  int pid_ = -1;
  int port_ = 0;
};

}  // namespace det::s3
