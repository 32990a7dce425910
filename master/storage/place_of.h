#pragma once

#include "common/storage/place.h"
#include "master/spec/experiment_spec.h"

namespace det::storage {

// Where an experiment's checkpoints lie. Any thread.
Place PlaceOf(const spec::CheckpointStorageSpec& spec);

}  // namespace det::storage
