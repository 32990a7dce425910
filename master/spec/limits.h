#pragma once

#include <cstdint>

// Bounds on what a user may ask for. Each names its unit; a request beyond one is refused with the
// name of the key, never cut.
namespace det::spec {

inline constexpr int64_t kNameBytesMax = 256;
inline constexpr int64_t kDescriptionBytesMax = 4096;
inline constexpr int64_t kEntrypointBytesMax = 1 << 20;
inline constexpr int64_t kEntrypointWordsMax = 4096;
inline constexpr int64_t kEnvironmentVariablesMax = 1000;
inline constexpr int64_t kEnvironmentVariableBytesMax = 128 << 10;
inline constexpr int64_t kPathBytesMax = 4096;
inline constexpr int64_t kLabelsMax = 1000;
inline constexpr int64_t kListItemsMax = 1000;  // of mounts, devices, ports, policies, capabilities
inline constexpr int64_t kWordBytesMax = 4096;  // of an argument, an address, a reference
inline constexpr int64_t kPatternBytesMax = 4096;
inline constexpr int64_t kSecretNameBytesMax = 128;
inline constexpr int64_t kMaxSlotsMax = 100000000;
inline constexpr double kWeightMax = 1e6;
inline constexpr int64_t kShmBytesMax = 1LL << 50;
inline constexpr int64_t kLogRetentionDaysMax = 32767;

// Of what a trial is started with (check_start.cc). Linux takes 128 KiB of one argument or variable
// with its NUL, and 2 MiB of all together, where hyperparameters (their values twice,
// kPointBytesMax each), the configuration (if it fits into one variable) and the agent's own need
// room too.
inline constexpr int64_t kExecStringBytesMax = (128 << 10) - 1;
inline constexpr int64_t kArgumentsBytesMax = 256 << 10;
inline constexpr int64_t kVariablesBytesMax = 512 << 10;
inline constexpr int64_t kHparamPathsBytesMax = 512 << 10;  // of all variables HP_<PATH>

// These two may only grow: beyond them nothing is read, and what is recorded must be read for ever.
inline constexpr int64_t kHparamsMax = 1000;    // leaves of the space
inline constexpr int64_t kHparamDepthMax = 20;  // nested maps
inline constexpr int64_t kHparamNameBytesMax = 256;
inline constexpr int64_t kCategoriesMax = 10000;         // values of one categorical
inline constexpr int64_t kTrialsMax = 1000000;           // trials of one experiment
inline constexpr int64_t kConcurrentTrialsMax = 100000;  // of one experiment
// Trials of one experiment that are open at a time, whatever it asks for: the others are made as
// these close. It bounds what one step of the core does.
inline constexpr int64_t kOpenTrialsMax = 1000;
inline constexpr int64_t kPointBytesMax = 100000;  // of one trial's hyperparameters, as JSON
inline constexpr int64_t kRungsMax = 50;
inline constexpr double kDivisorMax = 1000000;
inline constexpr int64_t kSlotsPerTrialMax = 100000;
inline constexpr int64_t kMaxRestartsMax = 1000000;
inline constexpr int64_t kPreemptionTimeoutSecondsMax = 30LL * 24 * 3600;
inline constexpr int64_t kLengthMax = 1LL << 53;  // batches, epochs, records: exact as a double

}  // namespace det::spec
