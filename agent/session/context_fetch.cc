#include "agent/session/context_fetch.h"

#include <cerrno>

#include "det/agent/v1/agent.grpc.pb.h"
#include <fcntl.h>
#include <unistd.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/digest/sha256.h"
#include "common/net/grpc_status.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"
#include "common/os/random.h"

namespace det::agent {
namespace {

constexpr size_t kChunkBytes = 1 << 20;

}  // namespace

absl::Status FetchContext(const MasterAddress& address,
                          const std::string& sha256,
                          const std::string& path) {
  // Two runs may want the same context at once.
  const std::string partial = StrCat(path, ".", RandomUuid(), ".partial");
  DET_ASSIGN_OR_RETURN(const UniqueFd out, OpenFile(partial, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  grpc::ClientContext context;
  AddCredentials(address, &context);
  const auto stub = v1::AgentData::NewStub(MakeChannel(address, "context"));
  v1::FetchContextRequest request;
  request.set_sha256(sha256);
  const auto reader = stub->FetchContext(&context, request);
  Sha256 digest;
  absl::Status status;
  v1::ContextChunk chunk;
  while (status.ok() && reader->Read(&chunk)) {
    digest.Update(chunk.data());
    status = WriteAll(out.get(), chunk.data(), partial);
  }
  if (!status.ok()) context.TryCancel();
  const absl::Status finished = net::FromGrpc(reader->Finish());
  if (status.ok()) status = finished;
  if (status.ok() && digest.Finish() != sha256) {
    status = Error(absl::StatusCode::kUnavailable,
                   "CONTEXT_DAMAGED",
                   StrCat("context ", sha256, " came damaged"));
  }
  // After a power failure it must be whole or not there.
  if (status.ok() && fsync(out.get()) != 0) status = OsError(errno, "sync", partial);
  if (status.ok() && rename(partial.c_str(), path.c_str()) != 0)
    status = OsError(errno, "rename", partial);
  if (!status.ok()) unlink(partial.c_str());
  return status;
}

absl::StatusOr<std::string> Sha256OfFile(const std::string& path) {
  DET_ASSIGN_OR_RETURN(const UniqueFd fd, OpenFile(path, O_RDONLY));
  Sha256 digest;
  std::string buffer(kChunkBytes, '\0');
  while (true) {
    const ssize_t got = read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return OsError(errno, "read", path);
    if (got == 0) return digest.Finish();
    digest.Update(std::string_view(buffer).substr(0, static_cast<size_t>(got)));
  }
}

}  // namespace det::agent
