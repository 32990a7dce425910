#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include <grpcpp/grpcpp.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/concurrency/thread_pool.h"
#include "common/net/grpc_status.h"
#include "master/core/authorize.h"
#include "master/rpc/deps.h"

// How every call is answered: authenticated here, then carried out on a thread that may block.
namespace det::rpc {

inline absl::StatusOr<core::Principal> Authenticate(const Deps& deps,
                                                    const grpc::CallbackServerContext& context) {
  const auto& metadata = context.client_metadata();
  const auto it = metadata.find("authorization");
  if (it == metadata.end()) return deps.tokens.Authenticate("");
  return deps.tokens.Authenticate(std::string_view(it->second.data(), it->second.size()));
}

// Only people's calls: an agent's secret opens its own services alone.
inline absl::StatusOr<core::Principal> AuthenticateUser(
    const Deps& deps, const grpc::CallbackServerContext& context) {
  DET_ASSIGN_OR_RETURN(core::Principal principal, Authenticate(deps, context));
  DET_RETURN_IF_ERROR(core::Authorize(principal, core::Verb::kRead, {}));
  return principal;
}

// Only agents' calls: the join secret, and nothing else, opens them.
inline absl::Status AuthenticateAgent(const Deps& deps,
                                      const grpc::CallbackServerContext& context) {
  DET_ASSIGN_OR_RETURN(const core::Principal principal, Authenticate(deps, context));
  if (principal.role == core::Role::kAgent) return absl::OkStatus();
  return Error(absl::StatusCode::kPermissionDenied, "FORBIDDEN", "only agents may do this");
}

// Answers a unary call with `answer(principal, request, response)`, run on the pool.
template <class Request, class Response, class Answer>
grpc::ServerUnaryReactor* Unary(const Deps& deps,
                                grpc::CallbackServerContext* context,
                                const Request* request,
                                Response* response,
                                Answer answer) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::StatusOr<core::Principal> principal = AuthenticateUser(deps, *context);
  if (!principal.ok()) {
    reactor->Finish(net::ToGrpc(principal.status()));
    return reactor;
  }
  const bool queued = deps.pool.Post([=, principal = *principal] {
    reactor->Finish(net::ToGrpc(answer(principal, *request, response)));
  });
  if (!queued) {
    reactor->Finish(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too many calls wait"));
  }
  return reactor;
}

// Posts a command and waits for its outcome. On pool threads only.
absl::StatusOr<core::Events> RunCommand(const Deps& deps, core::Command command);

// Reads live state through the output gate and waits. On pool threads only.
absl::Status ReadState(const Deps& deps, std::function<void(const core::State&)> read);

}  // namespace det::rpc
