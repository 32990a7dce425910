#pragma once

#include <map>
#include <string>

#include "common/base/map_reader.h"
#include "common/base/secret.h"
#include "common/base/value.h"

// What a cluster has for every experiment (layers.h), as the master's own file gives it.
namespace det::config {

// Reads the key task_container_defaults, with Determined's names, into a configuration.
void ReadTaskDefaults(MapReader& reader, Problems* problems, Value* config);

// Reads the key checkpoint_storage into a configuration; its secrets go to `secrets`. *folder is
// where it lies on a file system; it stays as it is when it is none, or none is named.
void ReadStorageDefault(MapReader& reader,
                        Problems* problems,
                        Value* config,
                        std::map<std::string, Secret>* secrets,
                        std::string* folder);

}  // namespace det::config
