#pragma once

#include <string>

#include "master/ended/deleter.h"
#include "master/store/read_store.h"

namespace det::ended {

// Removes the folders of checkpoints that lie on a file system which the master sees. A folder that
// is gone is none to remove.
class FolderRemover : public CheckpointRemover {
 public:
  explicit FolderRemover(store::ReadStore& store) : store_(store) {}
  absl::Status RemoveAll(ExperimentId id) override;

 private:
  store::ReadStore& store_;
};

}  // namespace det::ended
