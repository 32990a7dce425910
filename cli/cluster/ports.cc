#include "cli/cluster/ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/unique_fd.h"

namespace det::cli {
namespace {

constexpr int64_t kTries = 200;
constexpr int64_t kPortMax = 65535;

}  // namespace

bool PortIsFree(int64_t port) {
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return false;
  // As the master itself: what an earlier one left in TIME_WAIT is no obstacle.
  const int on = 1;
  if (setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0) return false;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
         listen(fd.get(), 1) == 0;
}

absl::StatusOr<int64_t> FreePort(int64_t wanted, int64_t not_this) {
  for (int64_t port = wanted; port < wanted + kTries && port <= kPortMax; ++port) {
    if (port != not_this && PortIsFree(port)) return port;
  }
  return Error(absl::StatusCode::kFailedPrecondition,
               "NO_FREE_PORT",
               StrCat("no port from ", wanted, " on is free"),
               "name free ones with --grpc-port and --http-port");
}

}  // namespace det::cli
