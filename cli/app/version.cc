#include "cli/app/version.h"

namespace det::cli {

std::string_view Version() {
  return DET_VERSION;
}

}  // namespace det::cli
