#include "master/rpc/call.h"

#include <algorithm>

#include "common/base/status.h"
#include "common/clock/clock.h"

namespace det::rpc {
namespace {

absl::Status MayStillBeDone() {
  return Error(absl::StatusCode::kDeadlineExceeded,
               "ANSWER_LATE",
               "the command did not become durable in time; it may still be carried out",
               "look whether it was before you repeat it");
}

absl::Status NotReadInTime() {
  return Error(absl::StatusCode::kUnavailable,
               "ANSWER_LATE",
               "what the master knows did not become durable in time",
               "try again once the master's database answers");
}

absl::Status Stopping() {
  return Error(
      absl::StatusCode::kUnavailable, "MASTER_STOPPING", "the master is stopping", "try again");
}

void FinishLate(const Deps& deps,
                const std::shared_ptr<Ending>& ending,
                const absl::Status& status) {
  deps.timer.After(ending->TimeLeft(), [ending, status] {
    if (ending->Claim()) ending->Finish(status);
  });
}

// On the pool, since `tell` may block and the engine's threads must not.
void FinishWith(const Deps& deps, const std::shared_ptr<Ending>& ending, Tell tell) {
  if (!ending->Claim()) return;
  const bool queued =
      deps.pool.Post([ending, tell = std::move(tell)]() mutable { ending->Finish(tell()); });
  if (queued) return;
  ending->Finish(Error(absl::StatusCode::kResourceExhausted,
                       "MASTER_BUSY",
                       "too many calls wait, and the answer was dropped",
                       "look whether it was carried out before you repeat it"));
}

// A read that the engine let go of unanswered: nothing more becomes durable.
class Unanswered {
 public:
  explicit Unanswered(std::shared_ptr<Ending> ending) : ending_(std::move(ending)) {}
  Unanswered(Unanswered&&) noexcept = default;
  Unanswered& operator=(Unanswered&&) = delete;
  ~Unanswered() {
    if (ending_ != nullptr && ending_->Claim()) ending_->Finish(Stopping());
  }
  const std::shared_ptr<Ending>& ending() const { return ending_; }
  // Somebody else answers.
  void Keep() { ending_ = nullptr; }

 private:
  std::shared_ptr<Ending> ending_;
};

}  // namespace

absl::Status Permit::Check(const Deps& deps) const {
  const std::optional<core::Principal> now = deps.catalog.directory().Find(user_);
  if (now.has_value()) return core::Authorize(*now, core::Verb::kRead, object_);
  return Error(absl::StatusCode::kUnauthenticated, "USER_INACTIVE", "the user was deactivated");
}

Ending::Ending(const grpc::CallbackServerContext& context, grpc::ServerUnaryReactor* reactor)
    : reactor_(reactor),
      until_(std::min(SystemClock().Now() + kAnswerMax,
                      absl::FromChrono(context.deadline()) - kAnswerMargin)) {}

absl::Duration Ending::TimeLeft() const {
  return std::max(until_ - SystemClock().Now(), absl::ZeroDuration());
}

std::optional<core::Principal> AuthorOf(const Deps& deps,
                                        const grpc::CallbackServerContext& context,
                                        Ending& ending) {
  absl::StatusOr<core::Principal> principal = AuthenticateUser(deps, context);
  if (principal.ok()) return *std::move(principal);
  ending.Finish(principal.status());
  return std::nullopt;
}

void RunCommand(
    const Deps& deps,
    const std::shared_ptr<Ending>& ending,
    core::Command command,
    absl::AnyInvocable<absl::Status(const absl::StatusOr<core::Events>& outcome)> complete) {
  deps.engine.Post(
      std::move(command),
      [&deps, ending, complete = std::move(complete)](absl::StatusOr<core::Events> result) mutable {
        FinishWith(
            deps, ending, [result = std::move(result), complete = std::move(complete)]() mutable {
              return complete(result);
            });
      });
  FinishLate(deps, ending, MayStillBeDone());
}

void ReadState(const Deps& deps,
               const std::shared_ptr<Ending>& ending,
               absl::AnyInvocable<Tell(const core::State&)> look) {
  const absl::Status queued =
      deps.engine.Read([&deps, ending, look = std::move(look)](
                           const core::State& state) mutable -> engine::OutputGate::Output {
        return [&deps, unanswered = Unanswered(ending), tell = look(state)]() mutable {
          FinishWith(deps, unanswered.ending(), std::move(tell));
        };
      });
  if (queued.ok()) return FinishLate(deps, ending, NotReadInTime());
  ending->Finish(queued);
}

void AnswerNow(const std::shared_ptr<Ending>& ending, const absl::Status& status) {
  if (ending->Claim()) ending->Finish(status);
}

void AfterBarrier(const Deps& deps,
                  const std::shared_ptr<Ending>& ending,
                  absl::AnyInvocable<void()> then) {
  const absl::Status queued = deps.engine.Follow(
      [&deps, unanswered = Unanswered(ending), then = std::move(then)]() mutable {
        const bool posted = deps.pool.Post(std::move(then));
        if (!posted) AnswerNow(unanswered.ending(), TooManyCalls());
        unanswered.Keep();
      });
  if (queued.ok()) return FinishLate(deps, ending, NotReadInTime());
  AnswerNow(ending, queued);
}

}  // namespace det::rpc
