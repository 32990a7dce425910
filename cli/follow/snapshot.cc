#include "cli/follow/snapshot.h"

namespace det::cli::follow {

bool HasEnded(const Snapshot& snapshot) {
  return snapshot.state == "COMPLETED" || snapshot.state == "CANCELED" || snapshot.state == "ERROR";
}

}  // namespace det::cli::follow
