#include "common/s3/sigv4.h"

#include <algorithm>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/base/check.h"
#include "common/base/strings.h"
#include "common/digest/sha256.h"

namespace det::s3 {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

bool IsUnreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == '~';
}

std::string Encode(std::string_view text, bool keep_slash) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (IsUnreserved(c) || (keep_slash && c == '/')) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.push_back('%');
    out.push_back(kHex[byte >> 4]);
    out.push_back(kHex[byte & 15]);
  }
  return out;
}

std::string Hmac(std::string_view key, std::string_view text) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  DET_CHECK(HMAC(EVP_sha256(),
                 key.data(),
                 static_cast<int>(key.size()),
                 reinterpret_cast<const unsigned char*>(text.data()),
                 text.size(),
                 out,
                 &size) != nullptr);
  return {reinterpret_cast<const char*>(out), size};
}

std::string Hex(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out.push_back(kHex[byte >> 4]);
    out.push_back(kHex[byte & 15]);
  }
  return out;
}

// Without the spaces around it, and with one for each run of them inside.
std::string Trimmed(std::string_view value) {
  std::string out;
  for (const char c : value) {
    const bool space = c == ' ' || c == '\t';
    if (!space) out.push_back(c);
    if (space && !out.empty() && out.back() != ' ') out.push_back(' ');
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::string Scope(const SigningKey& key, std::string_view timestamp) {
  return StrCat(timestamp.substr(0, 8), "/", key.region, "/", key.service, "/aws4_request");
}

}  // namespace

std::string EncodePath(std::string_view path) {
  return Encode(path, true);
}

std::string EncodeQuery(std::string_view text) {
  return Encode(text, false);
}

std::string CanonicalQuery(std::vector<std::pair<std::string, std::string>> query) {
  for (auto& [name, value] : query) {
    name = EncodeQuery(name);
    value = EncodeQuery(value);
  }
  std::sort(query.begin(), query.end());
  return StrJoin(query, "&", [](const auto& pair) { return StrCat(pair.first, "=", pair.second); });
}

std::string SignedHeaders(const CanonicalInput& input) {
  return StrJoin(input.headers, ";", [](const auto& header) { return header.first; });
}

std::string CanonicalRequest(const CanonicalInput& input) {
  std::string out = StrCat(input.method, "\n", input.path, "\n", CanonicalQuery(input.query), "\n");
  for (const auto& [name, value] : input.headers) StrAppend(out, name, ":", Trimmed(value), "\n");
  StrAppend(out, "\n", SignedHeaders(input), "\n", input.payload_hash);
  return out;
}

std::string StringToSign(const CanonicalInput& input,
                         const SigningKey& key,
                         std::string_view timestamp) {
  return StrCat(kAlgorithm,
                "\n",
                timestamp,
                "\n",
                Scope(key, timestamp),
                "\n",
                Sha256Hex(CanonicalRequest(input)));
}

std::string Signature(const CanonicalInput& input,
                      const SigningKey& key,
                      std::string_view timestamp) {
  std::string derived = Hmac(StrCat("AWS4", key.secret_key), timestamp.substr(0, 8));
  derived = Hmac(derived, key.region);
  derived = Hmac(derived, key.service);
  derived = Hmac(derived, "aws4_request");
  return Hex(Hmac(derived, StringToSign(input, key, timestamp)));
}

std::string Authorization(const CanonicalInput& input,
                          const SigningKey& key,
                          std::string_view timestamp) {
  return StrCat(kAlgorithm,
                " Credential=",
                key.access_key,
                "/",
                Scope(key, timestamp),
                ", SignedHeaders=",
                SignedHeaders(input),
                ", Signature=",
                Signature(input, key, timestamp));
}

std::string PresignedQuery(CanonicalInput input,
                           const SigningKey& key,
                           std::string_view timestamp,
                           int64_t seconds,
                           const std::string& token) {
  input.payload_hash = kUnsignedPayload;
  input.query.emplace_back("X-Amz-Algorithm", kAlgorithm);
  input.query.emplace_back("X-Amz-Credential", StrCat(key.access_key, "/", Scope(key, timestamp)));
  input.query.emplace_back("X-Amz-Date", timestamp);
  input.query.emplace_back("X-Amz-Expires", StrCat(seconds));
  input.query.emplace_back("X-Amz-SignedHeaders", SignedHeaders(input));
  if (!token.empty()) input.query.emplace_back("X-Amz-Security-Token", token);
  return StrCat(CanonicalQuery(input.query), "&X-Amz-Signature=", Signature(input, key, timestamp));
}

std::string Sha256Hex(std::string_view bytes) {
  Sha256 digest;
  digest.Update(bytes);
  return digest.Finish();
}

std::string Md5Base64(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  DET_CHECK(EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_md5(), nullptr) == 1);
  unsigned char text[EVP_MAX_MD_SIZE * 2];
  const int length = EVP_EncodeBlock(text, digest, static_cast<int>(size));
  return {reinterpret_cast<const char*>(text), static_cast<size_t>(length)};
}

}  // namespace det::s3
