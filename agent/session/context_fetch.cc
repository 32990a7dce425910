#include "agent/session/context_fetch.h"

#include <memory>

#include "det/agent/v1/agent.grpc.pb.h"
#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/net/grpc_status.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"
#include "common/os/random.h"

namespace det::agent {
namespace {

struct FreeDigest {
  void operator()(EVP_MD_CTX* c) const { EVP_MD_CTX_free(c); }
};

std::string Hex(const unsigned char* bytes, unsigned size) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (unsigned i = 0; i < size; ++i) {
    out.push_back(kDigits[bytes[i] >> 4]);
    out.push_back(kDigits[bytes[i] & 15]);
  }
  return out;
}

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
  const std::unique_ptr<EVP_MD_CTX, FreeDigest> digest(EVP_MD_CTX_new());
  EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr);
  absl::Status status;
  v1::ContextChunk chunk;
  while (status.ok() && reader->Read(&chunk)) {
    EVP_DigestUpdate(digest.get(), chunk.data().data(), chunk.data().size());
    status = WriteAll(out.get(), chunk.data(), partial);
  }
  if (!status.ok()) context.TryCancel();
  const absl::Status finished = net::FromGrpc(reader->Finish());
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(digest.get(), bytes, &size);
  if (status.ok()) status = finished;
  if (status.ok() && Hex(bytes, size) != sha256) {
    status = Error(absl::StatusCode::kUnavailable,
                   "CONTEXT_DAMAGED",
                   StrCat("context ", sha256, " came damaged"));
  }
  if (status.ok() && rename(partial.c_str(), path.c_str()) != 0)
    status = OsError(errno, "rename", partial);
  if (!status.ok()) unlink(partial.c_str());
  return status;
}

}  // namespace det::agent
