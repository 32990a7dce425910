#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "common/base/secret.h"

namespace det::s3 {

struct Credentials {
  std::string access_key;
  Secret secret_key;
  Secret session_token;  // of temporary credentials; else empty
};

// Gives a secret by its name; its errors name it and never quote it.
using SecretLookup = std::function<absl::StatusOr<Secret>(const std::string& name)>;

// Is a reference "env:NAME", a variable of whoever uses it?
bool NamesVariable(std::string_view ref);

// What a configuration may say of credentials: where they are, never what they are.
struct CredentialsSource {
  // "env:NAME" is an environment variable that holds the key, anything else the name of a secret of
  // the cluster. When they are named, nothing else is looked at.
  std::string access_key_ref;
  std::string secret_key_ref;
  SecretLookup secrets;  // none: whoever uses this can't look up secrets of the cluster
  // A section of the credentials file. "": the environment's AWS_ACCESS_KEY_ID and
  // AWS_SECRET_ACCESS_KEY, else the section AWS_PROFILE names, else "default".
  std::string profile;
  // "": the file that AWS_SHARED_CREDENTIALS_FILE names, else ~/.aws/credentials.
  std::string file;
};

using Environment = std::function<std::optional<std::string>(const char* name)>;
// The process's own. Any thread, as long as none changes the environment.
Environment ProcessEnvironment();

// Reads them anew at each call: what was rotated counts. UNAUTHENTICATED (S3_NO_CREDENTIALS) names
// the places that were looked at, never what they hold.
absl::StatusOr<Credentials> FindCredentials(const CredentialsSource& source,
                                            const Environment& environment);

}  // namespace det::s3
