#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace det::cli {

class Client;
class Context;

// Packs a model directory and sends it to the master unless it is there already. Gives the SHA-256
// of the archive, by which experiments name it. On a terminal a line tells how far it is.
absl::StatusOr<std::string> UploadModel(Context& context,
                                        Client* client,
                                        const std::string& directory);

}  // namespace det::cli
