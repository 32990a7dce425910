#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/problem.h"
#include "common/base/value.h"

namespace det::config {

// Where a value was written: in which of the merged configurations, and at which path of it.
struct Origin {
  size_t layer = 0;
  std::string path;
  bool operator==(const Origin&) const = default;
};

struct MergedConfig {
  Value value;
  Problems problems;  // what could not be merged, by paths of `value`

  // Of the value at a path, or of the place where it is missing.
  Origin Of(std::string_view path) const;

  std::map<std::string, Origin, std::less<>> origins;  // of the roots of what came from one layer
};

// Merges configurations as Determined 0.38 does; the first wins over those after it. nullptr and
// null are empty.
//
// - Null stands for "not given". Maps are merged key by key; lists and all else are replaced whole.
// - bind_mounts, resources.devices and environment.proxy_ports are joined, the first's items first;
//   of those for one container path or port the first counts. labels are joined.
// - environment_variables are joined by kind of device, the first's last; of one name the first
//   layer's counts.
// - log_policies are joined; of one name the first counts: one that has a name alone turns off.
// - hyperparameters: a parameter is replaced whole, groups (maps without `type`) are merged.
// - searcher and checkpoint_storage: keys of another searcher or storage are left out, those that
//   all of them have are taken.
// - Lengths, credentials and the values in `data` are replaced whole.
//
// Pure; costs what the configurations hold.
MergedConfig MergeConfigs(const std::vector<const Value*>& layers);

}  // namespace det::config
