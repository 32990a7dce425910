#include "common/s3/credentials.h"

#include <cstdlib>
#include <map>
#include <string_view>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"
#include "common/os/fs.h"

namespace det::s3 {
namespace {

constexpr size_t kFileBytesMax = 1 << 20;
constexpr std::string_view kVariable = "env:";

std::string_view Strip(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") + 1 - begin);
}

// "name = value" lines of one section; "[profile x]" and "[x]" are the same. Lines that are neither
// are somebody else's.
std::map<std::string, std::string> Section(std::string_view text, std::string_view profile) {
  std::map<std::string, std::string> values;
  bool inside = false;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = Strip(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (line.empty() || line[0] == '#' || line[0] == ';') continue;
    if (line[0] == '[') {
      std::string_view name = Strip(line.substr(1, line.find(']') - 1));
      if (name.starts_with("profile ")) name = Strip(name.substr(8));
      inside = name == profile;
      continue;
    }
    const size_t equals = line.find('=');
    if (!inside || equals == std::string_view::npos) continue;
    values[std::string(Strip(line.substr(0, equals)))] = Strip(line.substr(equals + 1));
  }
  return values;
}

std::optional<Credentials> FromEnvironment(const Environment& environment) {
  const auto access = environment("AWS_ACCESS_KEY_ID");
  const auto secret = environment("AWS_SECRET_ACCESS_KEY");
  if (!access.has_value() || access->empty() || !secret.has_value() || secret->empty()) return {};
  return Credentials{
      *access, Secret(*secret), Secret(environment("AWS_SESSION_TOKEN").value_or(""))};
}

absl::StatusOr<std::string> NamedSecret(const std::string& name, const SecretLookup& secrets) {
  const absl::StatusOr<Secret> found =
      secrets == nullptr ? absl::NotFoundError("the cluster's secrets are not known here")
                         : secrets(name);
  if (found.ok()) return found->Reveal();
  return Error(absl::StatusCode::kUnauthenticated,
               "S3_NO_CREDENTIALS",
               StrCat("no S3 credentials: the secret ",
                      QuoteJson(name),
                      " can't be had: ",
                      FromAbsl(found.status().message())),
               ErrorHint(found.status()));
}

// "env:NAME" of whoever uses it, else a secret of the cluster.
absl::StatusOr<std::string> Named(const std::string& ref,
                                  const SecretLookup& secrets,
                                  const Environment& environment) {
  if (!NamesVariable(ref)) return NamedSecret(ref, secrets);
  const std::string name = ref.substr(kVariable.size());
  if (const auto value = environment(name.c_str()); value.has_value()) return *value;
  return Error(absl::StatusCode::kUnauthenticated,
               "S3_NO_CREDENTIALS",
               StrCat("no S3 credentials: the environment variable ", name, " is not set"),
               "set it where this program is started");
}

absl::StatusOr<Credentials> FromNamed(const CredentialsSource& source,
                                      const Environment& environment) {
  DET_ASSIGN_OR_RETURN(std::string access,
                       Named(source.access_key_ref, source.secrets, environment));
  DET_ASSIGN_OR_RETURN(std::string secret,
                       Named(source.secret_key_ref, source.secrets, environment));
  return Credentials{std::move(access), Secret(std::move(secret)), Secret()};
}

std::string FileOf(const CredentialsSource& source, const Environment& environment) {
  if (!source.file.empty()) return source.file;
  if (const auto file = environment("AWS_SHARED_CREDENTIALS_FILE"); file.has_value()) return *file;
  return StrCat(environment("HOME").value_or(""), "/.aws/credentials");
}

}  // namespace

bool NamesVariable(std::string_view ref) {
  return ref.starts_with(kVariable);
}

Environment ProcessEnvironment() {
  return [](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

absl::StatusOr<Credentials> FindCredentials(const CredentialsSource& source,
                                            const Environment& environment) {
  if (!source.access_key_ref.empty() || !source.secret_key_ref.empty()) {
    return FromNamed(source, environment);
  }
  if (source.profile.empty()) {
    if (auto found = FromEnvironment(environment); found.has_value()) return *std::move(found);
  }
  std::string profile = source.profile;
  if (profile.empty()) profile = environment("AWS_PROFILE").value_or("");
  if (profile.empty()) profile = "default";
  const std::string file = FileOf(source, environment);
  const absl::StatusOr<std::string> text = ReadFile(file, kFileBytesMax);
  if (text.ok()) {
    auto values = Section(*text, profile);
    if (!values["aws_access_key_id"].empty() && !values["aws_secret_access_key"].empty()) {
      return Credentials{values["aws_access_key_id"],
                         Secret(values["aws_secret_access_key"]),
                         Secret(values["aws_session_token"])};
    }
  }
  return Error(absl::StatusCode::kUnauthenticated,
               "S3_NO_CREDENTIALS",
               StrCat("no S3 credentials: ",
                      source.profile.empty()
                          ? "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set, and "
                          : "",
                      text.ok() ? StrCat(file, " has no complete profile [", profile, "]")
                                : std::string(text.status().message())),
               "set the two variables where this program is started, or write the file");
}

}  // namespace det::s3
