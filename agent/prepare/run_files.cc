#include "agent/prepare/run_files.h"

#include <algorithm>
#include <filesystem>

#include <sys/stat.h>
#include <unistd.h>

#include "agent/session/context_fetch.h"
#include "common/base/hash.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/json/json.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"
#include "common/os/random.h"
#include "common/tar/unpack.h"

namespace det::agent {
namespace {

namespace fs = std::filesystem;

// sun_path holds 108 bytes.
constexpr size_t kSocketPathBytesMax = 100;
constexpr size_t kSmallFileBytesMax = 64 << 20;

absl::StatusOr<v1::RunOrder> ParseOrder(const Held& held) {
  v1::RunOrder order;
  if (order.ParseFromString(held.order)) return order;
  return Error(absl::StatusCode::kDataLoss,
               "BAD_ORDER",
               StrCat("the order of allocation ", held.id.value(), " can't be read"));
}

std::string BucketFile(const std::string& directory) {
  return StrCat(directory, "/bucket");
}

// A folder of ours that nobody else may look into.
absl::Status OwnFolder(const std::string& path) {
  DET_RETURN_IF_ERROR(MakeDirs(path, 0700));
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return OsError(errno, "look at", path);
  if (S_ISDIR(info.st_mode) && info.st_uid == geteuid()) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition,
               "NOT_OURS",
               StrCat(path, " belongs to somebody else"),
               "remove it");
}

// Leaves room for one more.
absl::Status TrimAside(const std::string& folder) {
  std::vector<std::pair<fs::file_time_type, std::string>> all;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    all.emplace_back(entry.last_write_time(error), entry.path().string());
  std::sort(all.begin(), all.end());
  for (size_t i = 0; i + RunFiles::kAsideMax <= all.size(); ++i)
    DET_RETURN_IF_ERROR(RemoveTree(all[i].second));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RunFiles> RunFiles::Open(Options options) {
  RunFiles files(std::move(options));
  const std::string& data = files.options_.data_dir;
  files.sockets_ = StrCat(data, "/run");
  if (StrCat(files.sockets_, "/", INT64_MAX, ".sock").size() > kSocketPathBytesMax) {
    files.sockets_ = StrCat("/tmp/det-agent-", geteuid(), "-", absl::Hex(StableHash(data)));
  }
  const std::string contexts = StrCat(data, "/contexts");
  for (const std::string& folder : {StrCat(data, "/tasks"), contexts, files.sockets_}) {
    DET_RETURN_IF_ERROR(OwnFolder(folder));
  }
  DET_ASSIGN_OR_RETURN(
      files.contexts_,
      ContextCache::Open({.directory = contexts,
                          .fetch = [master = files.options_.master](const std::string& sha256,
                                                                    const std::string& path) {
                            return FetchContext(master, sha256, path);
                          }}));
  return files;
}

std::string RunFiles::Directory(AllocationId id) const {
  return StrCat(options_.data_dir, "/tasks/", id.value());
}
std::string RunFiles::WorkDirectory(AllocationId id) const {
  return StrCat(Directory(id), "/work");
}
std::string RunFiles::ReportsDirectory(AllocationId id) const {
  return StrCat(Directory(id), "/reports");
}
std::string RunFiles::LogDirectory(AllocationId id) const {
  return StrCat(Directory(id), "/log");
}
std::string RunFiles::SocketPath(AllocationId id) const {
  return StrCat(sockets_, "/", id.value(), ".sock");
}

std::vector<RunFiles::Leftover> RunFiles::List() const {
  std::vector<Leftover> all;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(StrCat(options_.data_dir, "/tasks"), error)) {
    const std::string name = entry.path().filename().string();
    Leftover leftover{.id = AllocationId(std::strtoll(name.c_str(), nullptr, 10))};
    if (!leftover.id.valid() || leftover.id.ToString() != name) continue;
    const absl::StatusOr<std::string> trial = ReadFile((entry.path() / "trial").string(), 64);
    if (trial.ok()) leftover.trial = std::strtoll(trial->c_str(), nullptr, 10);
    all.push_back(leftover);
  }
  return all;
}

std::string RunFiles::CheckpointDirectory(AllocationId id) const {
  return StrCat(Directory(id), "/checkpoints");
}

absl::StatusOr<v1::RunOrder> RunFiles::Order(const Held& held) const {
  DET_ASSIGN_OR_RETURN(v1::RunOrder order, ParseOrder(held));
  if (!order.has_checkpoint_bucket()) return order;
  order.clear_checkpoint_bucket();
  order.set_checkpoint_directory(CheckpointDirectory(held.id));
  return order;
}

absl::StatusOr<std::unique_ptr<RunCheckpoints>> RunFiles::Checkpoints(
    AllocationId id, RunCheckpoints::Options options) const {
  const std::string file = BucketFile(Directory(id));
  const absl::StatusOr<std::string> text = ReadFile(file, kSmallFileBytesMax);
  if (absl::IsNotFound(text.status())) return nullptr;
  DET_RETURN_IF_ERROR(text.status());
  v1::Bucket bucket;
  if (!bucket.ParseFromString(*text)) {
    return Error(absl::StatusCode::kDataLoss, "BAD_ORDER", StrCat(file, " can't be read"));
  }
  options.folder = CheckpointDirectory(id);
  options.records = StrCat(Directory(id), "/uploads");
  options.url = bucket.url();
  for (const auto& [name, secret] : bucket.secrets()) options.secrets[name] = Secret(secret);
  options.secrets_fault = bucket.fault();
  return std::make_unique<RunCheckpoints>(std::move(options));
}

absl::Status RunFiles::Prepare(const Held& held, const std::string& cluster_id) {
  DET_ASSIGN_OR_RETURN(const v1::RunOrder order, Order(held));
  const std::string directory = Directory(held.id);
  DET_RETURN_IF_ERROR(RemoveTree(directory));
  DET_RETURN_IF_ERROR(MakeDirs(WorkDirectory(held.id), 0700));
  DET_RETURN_IF_ERROR(WriteOrder(held, order));
  if (!order.context_sha256().empty()) {
    DET_RETURN_IF_ERROR(PlaceContext(order.context_sha256(), WorkDirectory(held.id)));
  }
  // Wrong templates are found before anything starts.
  DET_RETURN_IF_ERROR(Command(held, cluster_id));
  // Checkpoints lie where all agents and the master see them.
  const absl::Status made = MakeDirs(order.checkpoint_directory(), 0755);
  return Annotate(made, "checkpoint_storage.host_path can't be used on this agent");
}

absl::Status RunFiles::WriteOrder(const Held& held, const v1::RunOrder& order) const {
  const std::string directory = Directory(held.id);
  DET_RETURN_IF_ERROR(
      AtomicWriteFile(StrCat(directory, "/trial"), std::to_string(order.trial()), 0600));
  // Read when the run is over, too: what it left in the bucket is looked for with it.
  DET_ASSIGN_OR_RETURN(const v1::RunOrder whole, ParseOrder(held));
  if (whole.has_checkpoint_bucket()) {
    DET_RETURN_IF_ERROR(AtomicWriteFile(
        BucketFile(directory), whole.checkpoint_bucket().SerializeAsString(), 0600));
  }
  // After a power failure nothing runs that would read these: a run that was not started is
  // prepared anew.
  DET_RETURN_IF_ERROR(
      AtomicWriteFileUnsynced(StrCat(directory, "/hparams.json"), order.hparams_json(), 0600));
  DET_RETURN_IF_ERROR(
      AtomicWriteFileUnsynced(StrCat(directory, "/config.json"), order.config_json(), 0600));
  return AtomicWriteFileUnsynced(StrCat(directory, "/token"), RandomToken(), 0600);
}

absl::Status RunFiles::PlaceContext(const std::string& sha256, const std::string& work) {
  DET_ASSIGN_OR_RETURN(const ContextCache::Lease lease, contexts_->Get(sha256));
  const absl::Status status = UnpackTar(lease.path(), work);
  if (!absl::IsInvalidArgument(status)) return status;
  // Its author's fault, unless it is no longer what was fetched.
  const absl::StatusOr<std::string> found = Sha256OfFile(lease.path());
  if (!found.ok() || *found == sha256) return status;
  contexts_->Discard(sha256);
  return Error(absl::StatusCode::kUnavailable,
               "CONTEXT_DAMAGED",
               StrCat(lease.path(), " was damaged on this disk, and is fetched anew next time"));
}

RunContext RunFiles::ContextOf(const Held& held,
                               const v1::RunOrder& order,
                               const std::string& cluster_id) const {
  RunContext run{.order = order,
                 .allocation = held.id.value(),
                 .run = held.run,
                 .agent_id = options_.agent_id,
                 .cluster_id = cluster_id,
                 .relay_socket = SocketPath(held.id),
                 .hparams_file = StrCat(Directory(held.id), "/hparams.json"),
                 .config_file = StrCat(Directory(held.id), "/config.json")};
  for (const Device& device : options_.devices) {
    for (const int slot : held.slots) {
      if (device.index == slot) run.devices.push_back(device);
    }
  }
  return run;
}

absl::StatusOr<CommandLine> RunFiles::Command(const Held& held,
                                              const std::string& cluster_id) const {
  DET_ASSIGN_OR_RETURN(const v1::RunOrder order, Order(held));
  RunContext run = ContextOf(held, order, cluster_id);
  DET_ASSIGN_OR_RETURN(const Secret token, Token(held.id));
  run.token = token.Reveal();
  return MakeCommandLine(run);
}

absl::StatusOr<Secret> RunFiles::Token(AllocationId id) const {
  DET_ASSIGN_OR_RETURN(std::string token,
                       ReadFile(StrCat(Directory(id), "/token"), kSmallFileBytesMax));
  return Secret(std::move(token));
}

absl::Status RunFiles::Remove(AllocationId id) {
  unlink(SocketPath(id).c_str());
  return RemoveTree(Directory(id));
}

absl::StatusOr<std::string> RunFiles::PutAside(AllocationId id) {
  const std::string folder = StrCat(options_.data_dir, "/damaged");
  DET_RETURN_IF_ERROR(OwnFolder(folder));
  DET_RETURN_IF_ERROR(TrimAside(folder));
  const std::string to = StrCat(folder, "/", id.value());
  DET_RETURN_IF_ERROR(RemoveTree(to));
  const std::string from = Directory(id);
  unlink(BucketFile(from).c_str());  // whoever looks has no use for its keys
  if (rename(from.c_str(), to.c_str()) != 0) return OsError(errno, "rename", from);
  unlink(SocketPath(id).c_str());
  return to;
}

}  // namespace det::agent
