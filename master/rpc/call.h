#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include <grpcpp/grpcpp.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/concurrency/thread_pool.h"
#include "common/net/grpc_status.h"
#include "master/core/authorize.h"
#include "master/rpc/convert.h"
#include "master/rpc/deps.h"

// How every call is answered: authenticated here, then carried out on a thread that may block. No
// thread waits for the engine, whose answers may take as long as the store is away.
namespace det::rpc {

// A call that gives no deadline, or a later one, waits so long for the engine.
inline constexpr absl::Duration kAnswerMax = absl::Seconds(60);
// So long before its deadline a call is told that time ran out, while its caller still listens.
inline constexpr absl::Duration kAnswerMargin = absl::Milliseconds(200);

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

// May the caller do it to that experiment or trial? Of one that has ended too.
template <class Id>
absl::Status AuthorizeOn(const Deps& deps, const core::Principal& by, core::Verb verb, Id id) {
  DET_ASSIGN_OR_RETURN(const core::Object object, deps.catalog.ObjectOf(by, id));
  return core::Authorize(by, verb, object);
}

// May the caller look at that experiment, and is it there to be looked at? One that was deleted
// says by whom and when.
inline absl::Status MayLookInto(const Deps& deps, const core::Principal& by, ExperimentId id) {
  DET_RETURN_IF_ERROR(AuthorizeOn(deps, by, core::Verb::kRead, id));
  return deps.store.Experiment(id).status();
}

// The workspaces whose experiments the caller sees; nothing stands for all.
inline store::Visible VisibleTo(const core::Principal& by) {
  if (core::ReadsEverything(by)) return std::nullopt;
  return core::ReadableWorkspaces(by);
}

// Of a stream, which may outlive what its caller may do: asked again with every step, without a
// query.
class Permit {
 public:
  template <class Id>
  static absl::StatusOr<Permit> ToRead(const Deps& deps, const core::Principal& by, Id id) {
    DET_ASSIGN_OR_RETURN(core::Object object, deps.catalog.ObjectOf(by, id));
    DET_RETURN_IF_ERROR(core::Authorize(by, core::Verb::kRead, object));
    return Permit(by.name, std::move(object));
  }
  absl::Status Check(const Deps& deps) const;

 private:
  Permit(std::string user, core::Object object)
      : user_(std::move(user)), object_(std::move(object)) {}

  std::string user_;  // a handle
  core::Object object_;
};

inline absl::Status TooManyCalls() {
  return Error(absl::StatusCode::kResourceExhausted,
               "MASTER_BUSY",
               "too many calls wait",
               "try again in a moment");
}

// A stream of gRPC's kind `Reactor` that ends before it began.
template <class Reactor>
class Refused final : public Reactor {
 public:
  explicit Refused(const absl::Status& status) { this->Finish(net::ToGrpc(status)); }
  void OnDone() override { delete this; }
};

// What gRPC hands over with a unary call.
template <class Request, class Response>
struct Wire {
  grpc::CallbackServerContext* context;
  const Request* request;
  Response* response;
};
template <class Request, class Response>
Wire(grpc::CallbackServerContext*, const Request*, Response*) -> Wire<Request, Response>;

// Answers a unary call with `answer(principal, request, response)`, run on the given pool.
template <class Request, class Response, class Answer>
grpc::ServerUnaryReactor* UnaryOn(ThreadPool& pool,
                                  const Deps& deps,
                                  Wire<Request, Response> call,
                                  Answer answer) {
  grpc::ServerUnaryReactor* reactor = call.context->DefaultReactor();
  const absl::StatusOr<core::Principal> principal = AuthenticateUser(deps, *call.context);
  if (!principal.ok()) {
    reactor->Finish(net::ToGrpc(principal.status()));
    return reactor;
  }
  const bool queued = pool.Post([=, principal = *principal] {
    reactor->Finish(net::ToGrpc(answer(principal, *call.request, call.response)));
  });
  if (!queued) reactor->Finish(net::ToGrpc(TooManyCalls()));
  return reactor;
}

// The same, on the pool of calls that take no longer than a moment.
template <class Request, class Response, class Answer>
grpc::ServerUnaryReactor* Unary(const Deps& deps,
                                grpc::CallbackServerContext* context,
                                const Request* request,
                                Response* response,
                                Answer answer) {
  return UnaryOn(deps.pool, deps, Wire{context, request, response}, std::move(answer));
}

// The end of a unary call that waits for the engine. It comes once: with the answer, or when the
// call's time has run out. Any thread.
class Ending {
 public:
  Ending(const grpc::CallbackServerContext& context, grpc::ServerUnaryReactor* reactor);

  // True to one caller alone: its part is to call Finish, and until then the call's request and
  // response are there.
  bool Claim() { return !claimed_.exchange(true); }
  void Finish(const absl::Status& status) { reactor_->Finish(net::ToGrpc(status)); }
  absl::Duration TimeLeft() const;

 private:
  grpc::ServerUnaryReactor* const reactor_;
  const absl::Time until_;
  std::atomic<bool> claimed_{false};
};

// Who calls; nothing when that may not be, which then was the answer.
std::optional<core::Principal> AuthorOf(const Deps& deps,
                                        const grpc::CallbackServerContext& context,
                                        Ending& ending);

// Posts the command; `complete` makes its outcome the call's answer, on the pool.
void RunCommand(
    const Deps& deps,
    const std::shared_ptr<Ending>& ending,
    core::Command command,
    absl::AnyInvocable<absl::Status(const absl::StatusOr<core::Events>& outcome)> complete);

// Reads live state through the output gate: what `look` gives back is called on the pool once all
// that it saw is durable.
using Tell = absl::AnyInvocable<absl::Status()>;
void ReadState(const Deps& deps,
               const std::shared_ptr<Ending>& ending,
               absl::AnyInvocable<Tell(const core::State&)> look);

// The page of rows that a request of a list asks for.
template <class Request>
store::ListQuery QueryOf(const Deps& deps, const Request& request) {
  return {.filter = request.filter(),
          .sort = {request.sort().begin(), request.sort().end()},
          .page = request.page(),
          .limit = Limit(request.limit(), 100, 1000),
          .now = deps.clock.Now()};
}

// Calls `then` on the pool once everything that the engine did so far is durable. It may come after
// the call's time ran out: it works on copies, and answers by RunCommand or by AnswerNow.
void AfterBarrier(const Deps& deps,
                  const std::shared_ptr<Ending>& ending,
                  absl::AnyInvocable<void()> then);
void AnswerNow(const std::shared_ptr<Ending>& ending, const absl::Status& status);

// What a call wants of the engine, or nothing when there is nothing to do.
using MaybeCommand = absl::StatusOr<std::optional<core::Command>>;

// Answers a unary call that gives the engine a command: `prepare(principal, request, response)`
// makes it, or nothing when there is nothing to do; `complete(outcome, request, response)` answers.
// Both run on the pool.
template <class Request, class Response, class Prepare, class Complete>
grpc::ServerUnaryReactor* Mutate(const Deps& deps,
                                 Wire<Request, Response> call,
                                 Prepare prepare,
                                 Complete complete) {
  grpc::ServerUnaryReactor* reactor = call.context->DefaultReactor();
  const auto ending = std::make_shared<Ending>(*call.context, reactor);
  const std::optional<core::Principal> principal = AuthorOf(deps, *call.context, *ending);
  if (!principal.has_value()) return reactor;
  const bool queued = deps.pool.Post([=, &deps, principal = *principal] {
    absl::StatusOr<std::optional<core::Command>> command =
        prepare(principal, *call.request, call.response);
    if (!command.ok() || !command->has_value()) return ending->Finish(command.status());
    RunCommand(deps, ending, **std::move(command), [=](const auto& outcome) -> absl::Status {
      return complete(outcome, *call.request, call.response);
    });
  });
  if (!queued) ending->Finish(TooManyCalls());
  return reactor;
}

// Answers a unary call from live state: `look(principal, request, state)` runs on the engine's
// thread and must be short; what it found goes to `tell(found, request, response)` on the pool.
template <class Request, class Response, class Look, class TellFound>
grpc::ServerUnaryReactor* FromState(const Deps& deps,
                                    Wire<Request, Response> call,
                                    Look look,
                                    TellFound tell) {
  grpc::ServerUnaryReactor* reactor = call.context->DefaultReactor();
  const auto ending = std::make_shared<Ending>(*call.context, reactor);
  const std::optional<core::Principal> principal = AuthorOf(deps, *call.context, *ending);
  if (!principal.has_value()) return reactor;
  // The call may be over before its turn comes: what looks has a request of its own.
  ReadState(deps,
            ending,
            [=, principal = *principal, request = *call.request](const core::State& state) -> Tell {
              return [=, found = look(principal, request, state)]() mutable -> absl::Status {
                return tell(std::move(found), *call.request, call.response);
              };
            });
  return reactor;
}

}  // namespace det::rpc
