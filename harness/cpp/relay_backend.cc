#include "harness/cpp/relay_backend.h"

#include <cstdlib>

#include <nlohmann/json.hpp>

namespace det::harness {
namespace {

using Json = nlohmann::json;

constexpr int kPollSeconds = 50;  // the relay allows 60
constexpr int kPollGraceSeconds = 20;
constexpr std::chrono::hours kStoreTimeout{24};

Json ParseAnswer(const std::string& text) {
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) throw Error("the agent's answer is not a JSON object");
  return json;
}

// proto3's JSON writes 64-bit integers as strings, and leaves out what is zero.
int64_t IntOf(const Json& json, const char* name) {
  const Json value = json.value(name, Json());
  if (value.is_number_integer()) return value.get<int64_t>();
  if (value.is_string()) return std::strtoll(value.get<std::string>().c_str(), nullptr, 10);
  return 0;
}

std::string TextOf(const Json& json, const char* name) {
  const Json value = json.value(name, Json());
  return value.is_string() ? value.get<std::string>() : "";
}

// DET_SLOT_IDS is "[0,1]".
int CountSlots() {
  const char* ids = std::getenv("DET_SLOT_IDS");
  if (ids == nullptr) return 1;
  const Json json = Json::parse(ids, nullptr, false);
  return json.is_array() ? static_cast<int>(json.size()) : 1;
}

RunInfo ReadInfo(const std::string& text) {
  const Json json = ParseAnswer(text);
  RunInfo info;
  info.experiment = IntOf(json, "experiment");
  info.trial = IntOf(json, "trial");
  if (const std::string hparams = TextOf(json, "hparams_json"); !hparams.empty()) {
    info.hparams_json = hparams;
  }
  info.seed = static_cast<uint32_t>(IntOf(json, "seed"));
  info.slots = CountSlots();
  info.checkpoint_directory = TextOf(json, "checkpoint_directory");
  if (const std::string uuid = TextOf(json, "latest_checkpoint"); !uuid.empty()) {
    info.latest = Checkpoint{info.checkpoint_directory / uuid, IntOf(json, "steps_completed")};
  }
  info.last_seq = IntOf(json, "last_seq");
  return info;
}

}  // namespace

RelayBackend::RelayBackend(const std::string& socket, const std::string& token)
    : reports_(socket, token, Relay::Voice::kTells),
      preemption_(socket, token, Relay::Voice::kSilent) {
  info_ = ReadInfo(reports_.Call({.method = "GET", .path = "/v1/info"}).value());
  next_seq_ = info_.last_seq + 1;
}

RelayBackend::~RelayBackend() {
  preemption_.Cancel();
  if (watcher_.joinable()) watcher_.join();
}

void RelayBackend::Report(const ReportBody& body) {
  const std::lock_guard lock(mutex_);
  const std::string json = ReportJson(next_seq_, body);
  RelayCall call{.method = "POST", .path = "/v1/reports", .body = json};
  // It may have to go to a bucket first. Should the agent die, the connection breaks.
  if (std::holds_alternative<CheckpointReport>(body)) call.timeout = kStoreTimeout;
  reports_.Call(call);
  // Only now: the number of a refused report goes to the next one.
  ++next_seq_;
}

bool RelayBackend::ShouldPreempt() {
  std::call_once(watched_, [this] { watcher_ = std::thread([this] { Watch(); }); });
  if (refused_) throw Error(refusal_);
  return preempt_;
}

void RelayBackend::AckPreemption() {
  const std::lock_guard lock(mutex_);
  reports_.Call({.method = "POST", .path = "/v1/preemption/ack", .body = "{}"});
}

void RelayBackend::Watch() {
  const RelayCall poll{.method = "GET",
                       .path = "/v1/preemption?timeout_seconds=" + std::to_string(kPollSeconds),
                       .timeout = std::chrono::seconds(kPollSeconds + kPollGraceSeconds)};
  try {
    while (!preempt_) {
      const std::optional<std::string> answer = preemption_.Call(poll);
      if (!answer.has_value()) return;
      const Json preempt = ParseAnswer(*answer).value("preempt", Json());
      preempt_ = preempt.is_boolean() && preempt.get<bool>();
    }
  } catch (const std::exception& error) {
    refusal_ = error.what();
    refused_ = true;
  }
}

}  // namespace det::harness
