#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>

// What a trial's program says to det, and asks of it. This header needs C++17 and its standard
// library alone, so it goes with any version of LibTorch and of everything else that a program
// links.
//
//   int main(int argc, char** argv) {
//     return det::harness::Run(argc, argv, [](det::harness::Context& det) {
//       const double lr = det.Hparam<double>("optimizer.lr");
//       ...
//       det.ReportValidation(steps, {{"accuracy", accuracy}});
//       det.SaveCheckpoint(steps, [&](const std::filesystem::path& directory) {
//         torch::save(model, directory / "model.pt");
//       });
//       if (det.ShouldPreempt()) return det.AckPreemption();
//     });
//   }
//
// Started by hand, outside of a trial, the same program takes its hyperparameters from the command
// line, prints its metrics and keeps checkpoints in a folder (see Context::Create).
//
// Errors are exceptions here, unlike in the rest of det: training code is written against LibTorch,
// which throws, and an ignored error would cost a run.
namespace det::harness {

// What went wrong, in one sentence: a hyperparameter that is missing, a report that is refused, a
// checkpoint that can't be written.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A checkpoint could not be stored in its bucket: which, why and what to do. There is none of it to
// count, and its folder is gone; the program may go on, and save another.
class StorageError : public Error {
 public:
  using Error::Error;
};

// Thrown to leave the program early, with status 0 and everything said. It is no std::exception,
// so handlers in training code let it pass. Run catches it; a main of your own must.
struct Leave {
  enum class Why { kInvalidHparams, kPreempted, kStopped };
  Why why;
};

// NaN and infinities are allowed: the search takes them for the worst.
using Metrics = std::map<std::string, double>;

struct Checkpoint {
  // Its folder. Of one that was saved to a bucket: gone again.
  std::filesystem::path path;
  int64_t steps = 0;  // batches trained
};

// Writes the files of a checkpoint into an empty folder, subfolders as it likes.
using SaveFunction = std::function<void(const std::filesystem::path& directory)>;

template <class T>
inline constexpr bool kIsHparamType = std::is_same_v<T, double> || std::is_same_v<T, int64_t> ||
                                      std::is_same_v<T, bool> || std::is_same_v<T, std::string>;

// The program's side of one run of a trial. Any thread may call any method. Methods that report
// return when the report is taken for good: it is neither lost nor doubled, whatever crashes
// afterwards. While the agent restarts they wait for it, for as long as it takes. Steps count
// batches. In a run of several processes one of them reports.
class Context {
 public:
  // In a trial: asks the agent who this is. Elsewhere, a local context from these arguments (others
  // are the program's own and left alone):
  //   --hp optimizer.lr=0.1   one hyperparameter, JSON or plain text; overrides the file
  //   --hparams FILE          hyperparameters as JSON
  //   --checkpoints FOLDER    where checkpoints go: ./checkpoints
  //   --resume                go on from the newest checkpoint there
  //   --seed N, --slots N     0 and 1
  static Context Create(int argc, const char* const* argv);
  static Context Create();

  Context(Context&& other) noexcept;
  Context& operator=(Context&& other) noexcept;
  ~Context();

  // A hyperparameter, by its dotted path ("optimizer.lr"), as a double, int64_t, bool or
  // std::string. An integer is accepted where a double is asked for; any other mismatch is an
  // Error, and so is a name that does not exist.
  template <class T>
  T Hparam(const std::string& name) const;
  // The same, or `fallback` when it does not exist or is null.
  template <class T, class = std::enable_if_t<kIsHparamType<T>>>
  T HparamOr(const std::string& name, const T& fallback) const {
    return HasHparam(name) ? Hparam<T>(name) : fallback;
  }
  std::string HparamOr(const std::string& name, const char* fallback) const {
    return HparamOr<std::string>(name, fallback);
  }
  int64_t HparamOr(const std::string& name, int fallback) const {
    return HparamOr<int64_t>(name, fallback);
  }
  // False for null.
  bool HasHparam(const std::string& name) const;
  // All of them, as a JSON object.
  const std::string& hparams_json() const;

  void ReportTraining(int64_t steps, const Metrics& metrics);
  void ReportValidation(int64_t steps, const Metrics& metrics);
  void Report(const std::string& group, int64_t steps, const Metrics& metrics);
  // The done share of the training, from 0 to 1.
  void ReportProgress(double fraction);
  // "These hyperparameters make no sense": the search draws others. Throws Leave.
  [[noreturn]] void InvalidHparams();
  // "I am done": the trial is complete, also when it was told to leave meanwhile. Throws Leave.
  [[noreturn]] void StopEarly();

  // Calls `save` with a folder and makes a checkpoint of what it writes, durable before it is
  // reported. When `save` throws, or the program dies on the way, there is no checkpoint.
  // `metadata_json` is an object, for people and programs to read. One checkpoint at a time:
  // other threads wait. Where checkpoints are stored in a bucket, it returns when this one is, and
  // throws StorageError when it can't be; reports of other threads wait as well.
  Checkpoint SaveCheckpoint(int64_t steps,
                            const SaveFunction& save,
                            const std::string& metadata_json = "{}");
  // The checkpoint to go on from, as the run began; nullopt: begin anew. With steps == 0 it is
  // another trial's, to begin from its weights.
  std::optional<Checkpoint> LatestCheckpoint() const;

  // Should the program save a checkpoint and leave? Costs no more than a load from memory: the
  // first call starts a thread that listens for the answer, which comes within a second. Throws
  // when the agent refuses to tell.
  bool ShouldPreempt();
  // Say so before leaving because of ShouldPreempt, with status 0: the trial goes on later. Without
  // it, status 0 means that the trial is done.
  void AckPreemption();
  // SaveCheckpoint, AckPreemption, and then Leave is thrown.
  [[noreturn]] void SaveCheckpointAndLeave(int64_t steps,
                                           const SaveFunction& save,
                                           const std::string& metadata_json = "{}");

  // For the program's randomness: the same in every run of the trial.
  uint32_t seed() const;
  // Of the agent's devices; on CPU slots one thread a slot is a fair share. May be 0.
  int slots() const;
  // 0 in a local context.
  int64_t trial_id() const;
  int64_t experiment_id() const;

 private:
  class Impl;
  explicit Context(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

template <class T>
T Context::Hparam(const std::string& /*name*/) const {
  static_assert(kIsHparamType<T>, "ask for a double, int64_t, bool or std::string");
}
template <>
double Context::Hparam<double>(const std::string& name) const;
template <>
int64_t Context::Hparam<int64_t>(const std::string& name) const;
template <>
bool Context::Hparam<bool>(const std::string& name) const;
template <>
std::string Context::Hparam<std::string>(const std::string& name) const;

// A main function: makes the context, calls `body`, and gives the status to exit with: 0 when it
// returns or leaves, 1 when it throws, which is told in one line on standard error.
int Run(int argc, const char* const* argv, const std::function<void(Context&)>& body);

}  // namespace det::harness
