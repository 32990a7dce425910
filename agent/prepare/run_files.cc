#include "agent/prepare/run_files.h"

#include <filesystem>

#include <sys/stat.h>
#include <unistd.h>

#include "agent/prepare/unpack.h"
#include "agent/session/context_fetch.h"
#include "common/base/hash.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/json/json.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"
#include "common/os/random.h"

namespace det::agent {
namespace {

namespace fs = std::filesystem;

// sun_path holds 108 bytes.
constexpr size_t kSocketPathBytesMax = 100;
constexpr size_t kSmallFileBytesMax = 64 << 20;

absl::StatusOr<v1::RunOrder> OrderOf(const Held& held) {
  v1::RunOrder order;
  if (order.ParseFromString(held.order)) return order;
  return Error(absl::StatusCode::kDataLoss,
               "BAD_ORDER",
               StrCat("the order of allocation ", held.id.value(), " can't be read"));
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

}  // namespace

absl::StatusOr<RunFiles> RunFiles::Open(Options options) {
  RunFiles files(std::move(options));
  const std::string& data = files.options_.data_dir;
  files.sockets_ = StrCat(data, "/run");
  if (StrCat(files.sockets_, "/", INT64_MAX, ".sock").size() > kSocketPathBytesMax) {
    files.sockets_ = StrCat("/tmp/det-agent-", geteuid(), "-", absl::Hex(StableHash(data)));
  }
  for (const std::string& folder :
       {StrCat(data, "/tasks"), StrCat(data, "/contexts"), files.sockets_}) {
    DET_RETURN_IF_ERROR(OwnFolder(folder));
  }
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
    Leftover leftover{.id =
                          AllocationId(std::strtoll(entry.path().filename().c_str(), nullptr, 10))};
    if (!leftover.id.valid()) continue;
    const absl::StatusOr<std::string> trial = ReadFile((entry.path() / "trial").string(), 64);
    if (trial.ok()) leftover.trial = std::strtoll(trial->c_str(), nullptr, 10);
    all.push_back(leftover);
  }
  return all;
}

absl::Status RunFiles::Prepare(const Held& held, const std::string& cluster_id) {
  DET_ASSIGN_OR_RETURN(const v1::RunOrder order, OrderOf(held));
  const std::string directory = Directory(held.id);
  DET_RETURN_IF_ERROR(RemoveTree(directory));
  DET_RETURN_IF_ERROR(MakeDirs(WorkDirectory(held.id), 0700));
  DET_RETURN_IF_ERROR(
      AtomicWriteFile(StrCat(directory, "/trial"), std::to_string(order.trial()), 0600));
  DET_RETURN_IF_ERROR(
      AtomicWriteFile(StrCat(directory, "/hparams.json"), order.hparams_json(), 0600));
  DET_RETURN_IF_ERROR(AtomicWriteFile(StrCat(directory, "/token"), RandomToken(), 0600));
  if (!order.context_sha256().empty()) {
    DET_RETURN_IF_ERROR(PlaceContext(order.context_sha256(), WorkDirectory(held.id)));
  }
  // Wrong templates are found before anything starts.
  DET_RETURN_IF_ERROR(Command(held, cluster_id));
  // Checkpoints lie where all agents and the master see them.
  const absl::Status made = MakeDirs(order.checkpoint_directory(), 0755);
  return Annotate(made, "checkpoint_storage.host_path can't be used on this agent");
}

absl::Status RunFiles::PlaceContext(const std::string& sha256, const std::string& work) const {
  const std::string cached = StrCat(options_.data_dir, "/contexts/", sha256, ".tar");
  std::error_code ignored;
  if (!fs::exists(cached, ignored))
    DET_RETURN_IF_ERROR(FetchContext(options_.master, sha256, cached));
  return UnpackTar(cached, work);
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
                 .hparams_file = StrCat(Directory(held.id), "/hparams.json")};
  for (const Device& device : options_.devices) {
    for (const int slot : held.slots) {
      if (device.index == slot) run.devices.push_back(device);
    }
  }
  return run;
}

absl::StatusOr<CommandLine> RunFiles::Command(const Held& held,
                                              const std::string& cluster_id) const {
  DET_ASSIGN_OR_RETURN(const v1::RunOrder order, OrderOf(held));
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

}  // namespace det::agent
