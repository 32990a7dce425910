#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/format/cell.h"

namespace det::cli {

// Hyperparameters of a trial, flattened: {"optimizer": {"lr": 0.1}} is optimizer.lr. Sorted by
// name.
using Hparams = std::vector<std::pair<std::string, Cell>>;
Hparams FlattenHparams(const std::string& json);

// "layers=3 optimizer.lr=0.1".
std::string CompactHparams(const std::string& json);

}  // namespace det::cli
