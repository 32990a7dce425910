#include "master/rpc/fork.h"

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"
#include "common/json/json.h"
#include "common/os/random.h"
#include "master/config/secrets.h"
#include "master/spec/parse.h"

namespace det::rpc {
namespace {

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

// The configuration with secrets that are the caller's own: whoever may control an experiment uses
// its secrets anyway, and gets copies of those that only its owner may refer to.
absl::StatusOr<std::string> WithSecrets(const Deps& deps,
                                        const core::Principal& by,
                                        ExperimentId parent,
                                        std::string config) {
  DET_ASSIGN_OR_RETURN(const core::Object object, deps.catalog.ObjectOf(by, parent));
  DET_ASSIGN_OR_RETURN(const Value recorded, ParseJson(config));
  std::string fault;
  const spec::ExperimentSpec spec = spec::ParseRecorded(recorded, &fault);
  if (!fault.empty()) return Error(absl::StatusCode::kDataLoss, "BAD_CONFIG", fault);
  for (const std::string& name : config::SecretNames(spec)) {
    if (deps.secrets.Get(name, by.name).ok()) continue;
    DET_RETURN_IF_ERROR(core::Authorize(by, core::Verb::kControl, object));
    DET_ASSIGN_OR_RETURN(const Secret secret, deps.secrets.Get(name, object.owner));
    const std::string copy = RandomUuid();
    DET_RETURN_IF_ERROR(deps.secrets.Keep(copy, by.name, secret));
    config = Replaced(std::move(config), QuoteJson(name), QuoteJson(copy));
  }
  return config;
}

}  // namespace

absl::StatusOr<api::v1::CreateExperimentRequest> WithParent(
    const Deps& deps, const core::Principal& by, const api::v1::CreateExperimentRequest& request) {
  api::v1::CreateExperimentRequest whole = request;
  if (request.parent() == 0) return whole;
  const ExperimentId parent(request.parent());
  DET_RETURN_IF_ERROR(AuthorizeOn(deps, by, core::Verb::kRead, parent));
  DET_ASSIGN_OR_RETURN(const ended::Standing standing, deps.ended.Where(parent));
  using core::ExperimentVerb;
  if (core::kExperimentVerbTable(ExperimentVerb::kFork, standing.state).answer ==
      core::Answer::kRefused) {
    return ended::Refusal(ExperimentVerb::kFork, parent, standing);
  }
  DET_ASSIGN_OR_RETURN(const store::ExperimentRow row, deps.store.Experiment(parent));
  if (whole.config().empty()) {
    DET_ASSIGN_OR_RETURN(const std::string config, deps.store.EffectiveConfig(parent));
    DET_ASSIGN_OR_RETURN(*whole.mutable_config(), WithSecrets(deps, by, parent, config));
    whole.set_config_name(StrCat("experiment ", parent.value()));
    // Where the parent is now; what the caller overrides comes after it.
    whole.clear_overrides();
    whole.add_overrides(StrCat("workspace=", QuoteJson(row.workspace)));
    whole.add_overrides(StrCat("project=", QuoteJson(row.project)));
    whole.mutable_overrides()->MergeFrom(request.overrides());
  }
  if (whole.context_sha256().empty()) whole.set_context_sha256(row.context);
  return whole;
}

}  // namespace det::rpc
