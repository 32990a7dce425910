#include <cstdlib>
#include <mutex>
#include <utility>

#include "harness/cpp/backend.h"
#include "harness/cpp/checkpoint.h"
#include "harness/cpp/det.h"
#include "harness/cpp/hparams.h"
#include "harness/cpp/local_backend.h"
#include "harness/cpp/relay_backend.h"

namespace det::harness {
namespace {

std::unique_ptr<Backend> MakeBackend(int argc, const char* const* argv) {
  const char* socket = std::getenv("DET_RELAY");
  if (socket == nullptr) return std::make_unique<LocalBackend>(argc, argv);
  const char* token = std::getenv("DET_TOKEN");
  if (token == nullptr) throw Error("DET_RELAY is set, but DET_TOKEN is not");
  return std::make_unique<RelayBackend>(socket, token);
}

void CheckSteps(int64_t steps) {
  if (steps < 0) throw Error("the number of steps is negative: " + std::to_string(steps));
}

}  // namespace

class Context::Impl {
 public:
  Impl(int argc, const char* const* argv)
      : backend(MakeBackend(argc, argv)), hparams(backend->info().hparams_json) {}

  const std::unique_ptr<Backend> backend;
  const Hparams hparams;
  std::mutex checkpoint_mutex;
};

Context::Context(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Context::Context(Context&& other) noexcept = default;
Context& Context::operator=(Context&& other) noexcept = default;
Context::~Context() = default;

Context Context::Create(int argc, const char* const* argv) {
  return Context(std::make_unique<Impl>(argc, argv));
}

Context Context::Create() {
  return Create(0, nullptr);
}

template <>
double Context::Hparam<double>(const std::string& name) const {
  return impl_->hparams.Double(name);
}
template <>
int64_t Context::Hparam<int64_t>(const std::string& name) const {
  return impl_->hparams.Int(name);
}
template <>
bool Context::Hparam<bool>(const std::string& name) const {
  return impl_->hparams.Bool(name);
}
template <>
std::string Context::Hparam<std::string>(const std::string& name) const {
  return impl_->hparams.String(name);
}

bool Context::HasHparam(const std::string& name) const {
  return impl_->hparams.Has(name);
}

const std::string& Context::hparams_json() const {
  return impl_->hparams.json();
}

void Context::ReportTraining(int64_t steps, const Metrics& metrics) {
  Report("training", steps, metrics);
}

void Context::ReportValidation(int64_t steps, const Metrics& metrics) {
  Report("validation", steps, metrics);
}

void Context::Report(const std::string& group, int64_t steps, const Metrics& metrics) {
  CheckSteps(steps);
  impl_->backend->Report(MetricsReport{group, steps, metrics});
}

void Context::ReportProgress(double fraction) {
  if (!(fraction >= 0 && fraction <= 1)) {
    throw Error("progress is a number from 0 to 1, not " + std::to_string(fraction));
  }
  impl_->backend->Report(ProgressReport{fraction});
}

void Context::InvalidHparams() {
  impl_->backend->Report(InvalidHparamsReport{});
  throw Leave{Leave::Why::kInvalidHparams};
}

void Context::StopEarly() {
  impl_->backend->Report(StopReport{});
  throw Leave{Leave::Why::kStopped};
}

Checkpoint Context::SaveCheckpoint(int64_t steps,
                                   const SaveFunction& save,
                                   const std::string& metadata_json) {
  CheckSteps(steps);
  const std::lock_guard lock(impl_->checkpoint_mutex);
  const std::filesystem::path& directory = impl_->backend->info().checkpoint_directory;
  WrittenCheckpoint written = WriteCheckpoint(directory, save);
  Checkpoint checkpoint{directory / written.uuid, steps};
  try {
    impl_->backend->Report(
        CheckpointReport{std::move(written.uuid), steps, std::move(written.files), metadata_json});
  } catch (const StorageError&) {
    std::error_code ignored;
    std::filesystem::remove_all(checkpoint.path, ignored);
    throw;
  }
  return checkpoint;
}

std::optional<Checkpoint> Context::LatestCheckpoint() const {
  return impl_->backend->info().latest;
}

bool Context::ShouldPreempt() {
  return impl_->backend->ShouldPreempt();
}

void Context::AckPreemption() {
  impl_->backend->AckPreemption();
}

void Context::SaveCheckpointAndLeave(int64_t steps,
                                     const SaveFunction& save,
                                     const std::string& metadata_json) {
  SaveCheckpoint(steps, save, metadata_json);
  AckPreemption();
  throw Leave{Leave::Why::kPreempted};
}

uint32_t Context::seed() const {
  return impl_->backend->info().seed;
}

int Context::slots() const {
  return impl_->backend->info().slots;
}

int64_t Context::trial_id() const {
  return impl_->backend->info().trial;
}

int64_t Context::experiment_id() const {
  return impl_->backend->info().experiment;
}

}  // namespace det::harness
