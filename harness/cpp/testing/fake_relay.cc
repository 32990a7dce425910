#include "harness/cpp/testing/fake_relay.h"

#include <chrono>

#include "common/base/check.h"
#include "common/base/strings.h"
#include "common/json/json.h"

namespace det::harness {
namespace {

constexpr std::chrono::seconds kDeadline{20};

HttpResponse Refusal(int status, std::string_view reason, std::string_view message) {
  Value body;
  body["error"]["reason"] = reason;
  body["error"]["message"] = message;
  return {.status = status, .body = body.ToJson()};
}

}  // namespace

void FakeRelay::Start() {
  auto server = HttpServer::Start({.unix_path = path_},
                                  [this](const HttpRequest& request, HttpServer::Responder answer) {
                                    Handle(request, std::move(answer));
                                  });
  DET_CHECK(server.ok(), server.status().ToString());
  server_ = *std::move(server);
}

void FakeRelay::Stop() {
  server_.reset();  // not under the lock: the handler takes it
  const std::lock_guard lock(mutex_);
  held_.clear();
  keep_back_ = false;
}

void FakeRelay::FailNext(int count, int status) {
  const std::lock_guard lock(mutex_);
  failures_ = count;
  failure_status_ = status;
}

void FakeRelay::RefuseReports() {
  const std::lock_guard lock(mutex_);
  refuse_ = true;
}

void FakeRelay::KeepAnswersBack() {
  const std::lock_guard lock(mutex_);
  keep_back_ = true;
}

void FakeRelay::Preempt() {
  const std::lock_guard lock(mutex_);
  preempt_ = true;
  for (HttpServer::Responder& responder : held_) responder({.body = R"({"preempt": true})"});
  held_.clear();
}

std::vector<Value> FakeRelay::reports() const {
  const std::lock_guard lock(mutex_);
  return reports_;
}

int FakeRelay::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

int FakeRelay::duplicates() const {
  const std::lock_guard lock(mutex_);
  return duplicates_;
}

int FakeRelay::acks() const {
  const std::lock_guard lock(mutex_);
  return acks_;
}

int FakeRelay::polls() const {
  const std::lock_guard lock(mutex_);
  return polls_;
}

bool FakeRelay::Wait(const std::function<bool()>& condition) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kDeadline, condition);
}

void FakeRelay::Handle(const HttpRequest& request, HttpServer::Responder responder) {
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
  const auto token = request.headers.find("authorization");
  if (token == request.headers.end() || token->second != StrCat("Bearer ", kFakeToken)) {
    return responder(Refusal(401, "BAD_TOKEN", "the token is not this run's"));
  }
  if (failures_ > 0) {
    --failures_;
    return responder(Refusal(failure_status_, "FAULT", "as the test has it"));
  }
  if (request.path == "/v1/info") return responder(InfoResponse());
  if (request.path == "/v1/preemption") return Poll(std::move(responder));
  if (request.path == "/v1/preemption/ack") {
    ++acks_;
    return responder({.body = "{}"});
  }
  if (request.path != "/v1/reports") return responder(Refusal(404, "NO_SUCH_CALL", request.path));
  HttpResponse response = Report(request);
  if (!keep_back_) return responder(std::move(response));
  held_.push_back(std::move(responder));
}

HttpResponse FakeRelay::Report(const HttpRequest& request) {
  if (refuse_) {
    ++refused_;
    return Refusal(503, "REFUSED", "as the test has it");
  }
  absl::StatusOr<Value> report = ParseJson(request.body);
  if (!report.ok()) return Refusal(400, "INVALID_JSON", report.status().ToString());
  const Value* seq = report->Find("seq");
  const int64_t next = info_.last_seq + static_cast<int64_t>(reports_.size()) + 1;
  if (seq == nullptr || !seq->is_int()) return Refusal(400, "NO_SEQ", "the report has no seq");
  if (seq->as_int() > next) return Refusal(409, "GAP", StrCat("next is ", next));
  if (seq->as_int() < next) {
    ++duplicates_;
  } else {
    reports_.push_back(*std::move(report));
  }
  return {.body = R"({"seq": "1"})"};
}

// Integers as strings, as proto3's JSON has them.
HttpResponse FakeRelay::InfoResponse() const {
  Value body;
  body["experiment"] = "3";
  body["trial"] = "14";
  body["seed"] = 4000000000;
  body["hparams_json"] = info_.hparams_json;
  body["checkpoint_directory"] = info_.checkpoint_directory;
  if (!info_.latest_checkpoint.empty()) body["latest_checkpoint"] = info_.latest_checkpoint;
  if (info_.steps_completed > 0) body["steps_completed"] = StrCat(info_.steps_completed);
  const int64_t taken = info_.last_seq + static_cast<int64_t>(reports_.size());
  if (taken > 0) body["last_seq"] = StrCat(taken);
  return {.body = body.ToJson()};
}

void FakeRelay::Poll(HttpServer::Responder responder) {
  ++polls_;
  if (preempt_) return responder({.body = R"({"preempt": true})"});
  held_.push_back(std::move(responder));
}

}  // namespace det::harness
