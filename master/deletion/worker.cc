#include "master/deletion/worker.h"

#include <algorithm>
#include <set>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/json/json.h"
#include "common/log/log.h"
#include "master/spec/parse.h"
#include "master/storage/place_of.h"

namespace det::deletion {
namespace {

constexpr size_t kStoresMax = 64;
constexpr absl::Duration kPauseMax = absl::Minutes(5);

std::string Text(const absl::Status& status) {
  const std::string hint = ErrorHint(status);
  return StrCat(FromAbsl(status.message()), hint.empty() ? "" : StrCat(" (", hint, ")"));
}

absl::StatusOr<storage::Place> PlaceIn(const std::string& storage_json) {
  DET_ASSIGN_OR_RETURN(const Value value, ParseJson(storage_json));
  Problems problems;
  const spec::CheckpointStorageSpec spec =
      spec::ParseStorage(value, {.checkpoint_host_path = "/"}, &problems);
  return storage::PlaceOf(spec);
}

// Why the files stay though the checkpoint goes; "": they go with it. Several trials may say that
// one folder is theirs: it belongs to the experiment of the first, and goes with the last of its
// checkpoints. Nobody else's word takes it away, nor keeps it.
std::string StaysOf(const Job& job) {
  std::vector<Namesake> same;
  for (const Namesake& one : job.namesakes) {
    const bool own = one.trial == job.deletion.target.trial;
    if (own || storage::IsSameFolder(one.directory, job.directory)) same.push_back(one);
  }
  if (same.empty()) return "";
  const ExperimentId owner = same.front().experiment;
  for (const Namesake& one : same) {
    if (one.experiment != owner || one.trial == job.deletion.target.trial) continue;
    return StrCat("its files stay: trial ", one.trial.value(), " has a checkpoint of this folder");
  }
  return "";
}

}  // namespace

Worker::Worker(Deletions& deletions, WorkerOptions options)
    : deletions_(deletions), options_(std::move(options)) {
  options_.storage.cancel = &cancel_;
  deletions_.OnNew([this] { Wake(); });
  thread_ = std::thread([this] { Loop(); });
}

Worker::~Worker() {
  cancel_ = true;
  Wake();
  thread_.join();
}

void Worker::Wake() {
  const MutexLock lock(mutex_);
  woken_ = true;
  changed_.NotifyAll();
}

void Worker::Loop() {
  while (!cancel_.load()) {
    const absl::StatusOr<bool> more = Step();
    if (absl::IsAborted(more.status())) return;  // another master's by now
    if (!more.ok()) {
      LogWarning("checkpoints can't be deleted", {{"cause", std::string(more.status().message())}});
    }
    if (more.value_or(false)) continue;
    const MutexLock lock(mutex_);
    if (!woken_) changed_.WaitFor(mutex_, options_.look_every);
    woken_ = false;
  }
}

absl::StatusOr<bool> Worker::Step() {
  DET_ASSIGN_OR_RETURN(const bool collected, deletions_.CollectOne());
  DET_ASSIGN_OR_RETURN(const std::optional<Job> job, deletions_.Claim());
  if (!job.has_value()) return collected;
  const Outcome outcome = Carry(*job);
  if (cancel_.load()) return false;  // it stays RUNNING: the next master takes it up
  if (outcome.kind == Outcome::Kind::kFailed) {
    LogWarning("a checkpoint can't be deleted",
               {{"trial", job->deletion.target.trial.ToString()},
                {"checkpoint", job->deletion.target.uuid},
                {"cause", outcome.reason}});
  }
  DET_RETURN_IF_ERROR(deletions_.Finish(*job, outcome));
  return true;
}

Outcome Worker::Carry(const Job& job) {
  const Target& target = job.deletion.target;
  if (!job.in_use.empty()) return {Outcome::Kind::kFailed, StrCat("it is in use: ", job.in_use)};
  if (job.held) {
    return {Outcome::Kind::kAgain, "an experiment is about to begin from it", options_.first_pause};
  }
  if (const std::string why = StaysOf(job); !why.empty()) {
    return {job.deletion.globs.empty() ? Outcome::Kind::kDone : Outcome::Kind::kFailed, why};
  }
  const auto store = StoreOf(job);
  if (!store.ok()) return {Outcome::Kind::kFailed, Text(store.status())};
  auto left = (*store)->DeleteReported({target.uuid, job.deletion.globs}, {job.files, job.since});
  if (!left.ok()) return Judge(job, left.status());
  return {.left = *std::move(left)};
}

Outcome Worker::Judge(const Job& job, const absl::Status& status) const {
  static const std::set<std::string> for_good = {"UNSAFE_NAME",
                                                 "INVALID_GLOB",
                                                 "INVALID_STORAGE",
                                                 "CHECKPOINT_NOT_THERE",
                                                 "CHECKPOINT_NOT_PROVEN",
                                                 "STORAGE_PROTECTED"};
  const auto place = PlaceIn(job.storage_json);
  const bool directory = place.ok() && std::holds_alternative<storage::Directory>(*place);
  const std::string reason = ErrorReason(status);
  if (directory && reason == "STORAGE_NOT_VISIBLE") {
    return {Outcome::Kind::kFailed,
            StrCat(FromAbsl(status.message()),
                   ": a directory of the containers, where the master has nothing mounted")};
  }
  if (for_good.contains(reason) || job.deletion.attempts >= options_.attempts_max) {
    return {Outcome::Kind::kFailed, Text(status)};
  }
  const double doubled =
      static_cast<double>(int64_t{1} << std::min<int64_t>(20, job.deletion.attempts - 1));
  return {Outcome::Kind::kAgain, Text(status), std::min(kPauseMax, options_.first_pause * doubled)};
}

absl::StatusOr<std::shared_ptr<storage::CheckpointStore>> Worker::StoreOf(const Job& job) {
  const std::string key = StrCat(job.owner, " ", job.storage_json);
  const auto known = stores_.find(key);
  if (known != stores_.end()) return known->second;
  DET_ASSIGN_OR_RETURN(const storage::Place place, PlaceIn(job.storage_json));
  storage::StoreOptions options = options_.storage;
  if (options_.secrets != nullptr) {
    options.secrets = [this, owner = job.owner](const std::string& name) {
      return options_.secrets(name, owner);
    };
  }
  DET_ASSIGN_OR_RETURN(std::unique_ptr<storage::CheckpointStore> store,
                       storage::OpenStore(place, options));
  if (stores_.size() >= kStoresMax) stores_.clear();
  return stores_[key] = std::move(store);
}

}  // namespace det::deletion
