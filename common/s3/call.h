#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/s3/client.h"
#include "common/s3/sigv4.h"

// One operation on a bucket: where it goes, its signature, and another try when that may help.
namespace det::s3 {

struct Operation {
  std::string method;
  std::string key;  // "": the bucket itself
  std::vector<std::pair<std::string, std::string>> query;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  Body body;
};

class Caller {
 public:
  // As Client::Create.
  static absl::StatusOr<std::unique_ptr<Caller>> Create(ClientOptions options);

  // The answer of status 2xx. `next` makes the operation for each try. `tries`, when given, says
  // how many there were.
  absl::StatusOr<HttpResponse> Call(const std::function<Operation()>& next,
                                    const Sink& sink = nullptr,
                                    int* tries = nullptr) const;
  absl::StatusOr<HttpResponse> Call(const Operation& operation,
                                    const Sink& sink = nullptr,
                                    int* tries = nullptr) const;

  absl::StatusOr<std::string> Presign(const std::string& key, absl::Duration life) const;

  const ClientOptions& options() const { return options_; }
  // "s3://bucket/key", for messages.
  std::string Name(const std::string& key) const;

 private:
  Caller(ClientOptions options, std::string scheme, std::string authority);

  bool virtual_host() const;
  std::string Host() const;
  std::string Path(const std::string& key) const;
  CanonicalInput Input(const Operation& operation) const;
  absl::StatusOr<std::string> PayloadHash(const Body& body) const;
  absl::StatusOr<HttpRequest> Sign(const Operation& operation,
                                   const Credentials& credentials) const;
  // OK, or what the answer says is wrong.
  absl::Status Judge(const Operation& operation, const HttpResponse& response) const;
  SigningKey KeyOf(const Credentials& credentials) const;
  std::string Timestamp() const;

  const ClientOptions options_;
  const std::string scheme_;
  const std::string authority_;  // host, and port where it is not the scheme's
  mutable Http http_;
};

}  // namespace det::s3
