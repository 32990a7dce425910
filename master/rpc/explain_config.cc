#include "master/rpc/explain_config.h"

#include <vector>

#include "det/api/v1/cluster.grpc.pb.h"

#include "common/base/nearest.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"
#include "master/spec/keys.h"

namespace det::rpc {
namespace {

constexpr size_t kKeyBytesMax = 200;

bool IsBelow(std::string_view path, std::string_view above) {
  return above.empty() || (path.size() > above.size() && path.starts_with(above) &&
                           (path[above.size()] == '.' || path[above.size()] == '['));
}

// Of a key below one that has none yet: that one's.
spec::Effect EffectOf(const spec::Key& key) {
  for (const spec::Key& other : spec::Keys()) {
    if (other.effect == spec::Effect::kNotYet && IsBelow(key.path, other.path)) return other.effect;
  }
  return key.effect;
}

absl::Status NoSuchKey(const std::string& key) {
  std::vector<std::string> paths;
  for (const spec::Key& known : spec::Keys()) paths.emplace_back(known.path);
  const std::string nearest = key.size() > kKeyBytesMax ? "" : Nearest(key, paths);
  return Error(absl::StatusCode::kNotFound,
               "KEY_NOT_FOUND",
               StrCat("there is no key ", QuoteJson(key.substr(0, kKeyBytesMax))),
               nearest.empty() ? "without a key, all are listed"
                               : StrCat("did you mean \"", nearest, "\"?"));
}

}  // namespace

absl::Status ExplainConfig(const api::v1::ExplainConfigRequest& request,
                           api::v1::ExplainConfigResponse* response) {
  const std::string& wanted = request.key();
  for (const spec::Key& key : spec::Keys()) {
    if (key.path != wanted && !IsBelow(key.path, wanted)) continue;
    api::v1::ConfigKey* out = response->add_keys();
    out->set_path(std::string(key.path));
    out->set_type(std::string(key.type));
    out->set_default_value(std::string(key.default_value));
    out->set_meaning(std::string(key.meaning));
    out->set_effect(std::string(spec::EffectText(EffectOf(key))));
  }
  return response->keys().empty() ? NoSuchKey(wanted) : absl::OkStatus();
}

}  // namespace det::rpc
