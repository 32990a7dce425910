#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

// AWS Signature Version 4:
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html Pure
// functions; any thread.
namespace det::s3 {

// The SHA-256 of no bytes, and what stands for it where TLS already guards the body.
inline constexpr std::string_view kEmptyPayloadHash =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

// Every byte but the unreserved ones of RFC 3986 as %XX; "/" stays in a path.
std::string EncodePath(std::string_view path);
std::string EncodeQuery(std::string_view text);

struct SigningKey {
  std::string access_key;
  std::string secret_key;
  std::string region;
  std::string service = "s3";
};

struct CanonicalInput {
  std::string method;
  std::string path;                                        // encoded, begins with "/"
  std::vector<std::pair<std::string, std::string>> query;  // not encoded
  std::map<std::string, std::string> headers;              // names in lower case; all are signed
  std::string payload_hash;
};

// "a=b&c=d", encoded and sorted as the signature wants it, and as it may be sent.
std::string CanonicalQuery(std::vector<std::pair<std::string, std::string>> query);
std::string SignedHeaders(const CanonicalInput& input);
std::string CanonicalRequest(const CanonicalInput& input);

// `timestamp` is "20130524T000000Z" everywhere.
std::string StringToSign(const CanonicalInput& input,
                         const SigningKey& key,
                         std::string_view timestamp);
std::string Signature(const CanonicalInput& input,
                      const SigningKey& key,
                      std::string_view timestamp);
// The value of the header Authorization.
std::string Authorization(const CanonicalInput& input,
                          const SigningKey& key,
                          std::string_view timestamp);

// The query that makes a URL of its own of the input, for whoever gets it, so many seconds long:
// the input's query and the parameters X-Amz-*, encoded. `token`: of temporary credentials, or "".
std::string PresignedQuery(CanonicalInput input,
                           const SigningKey& key,
                           std::string_view timestamp,
                           int64_t seconds,
                           const std::string& token);

// Of bytes, in base64: what DeleteObjects wants as Content-MD5.
std::string Md5Base64(std::string_view bytes);
std::string Sha256Hex(std::string_view bytes);

}  // namespace det::s3
