#pragma once

#include <array>
#include <cstdint>
#include <string_view>

// Everything that can go wrong in the simulated world. Each seed draws which of them are possible
// and how often; the totals show that none is only on paper.
namespace det::sim {

enum class Fault : uint8_t {
  kMessageLost,
  kMessageDuplicated,
  kMessageSlow,
  kLinkCut,          // the connection breaks, a new one can be made at once
  kPartition,        // nothing passes for a while
  kOneWayPartition,  // nothing passes in one direction
  kStoreFails,
  kStoreTimesOut,
  kStoreExecutesAndTimesOut,
  kLeaseStolen,  // a second master takes over while the first goes on
  kMasterCrash,
  kAgentCrash,
  kAgentAwayLong,  // longer than the master waits
  kHostReboot,     // every process on the host dies
  kPrepareFails,
  kTrialCrash,
  kTrialIgnoresStop,
  kTrialRefusesHparams,
  kTrialReportsNan,
  kTrialReportsTwice,
  kIngestFails,
  kIngestExecutesAndTimesOut,
  kStoreExecutesLate,
  kCoreBusy,          // no room for a report's command
  kTrialStops,        // by its own decision
  kMachineAnnounced,  // its machine is said to go
  kCount,
};

enum class CrashPoint : uint8_t {
  kMasterIdle,           // between two turns
  kMasterBeforeAppend,   // decided, not written
  kMasterAfterAppend,    // written, not known to be
  kMasterBeforeRelease,  // known to be written, nobody told
  kMasterDuringRelease,  // some told, some not
  kMasterAfterIngest,    // metrics written, the core not told
  kMasterInRecovery,
  kAgentIdle,
  kAgentBeforeSave,
  kAgentAfterSave,
  kAgentBeforeStart,
  kAgentAfterStart,
  kAgentBeforeStop,
  kAgentBeforeForget,
  kAgentBeforeStatus,
  kCount,
};

inline constexpr size_t kFaults = static_cast<size_t>(Fault::kCount);
inline constexpr size_t kCrashPoints = static_cast<size_t>(CrashPoint::kCount);

inline constexpr std::array<std::string_view, kFaults> kFaultNames = {
    "message lost",
    "message duplicated",
    "message slow",
    "link cut",
    "partition",
    "one-way partition",
    "store fails",
    "store times out",
    "store executes and times out",
    "lease stolen",
    "master crash",
    "agent crash",
    "agent away long",
    "host reboot",
    "prepare fails",
    "trial crash",
    "trial ignores stop",
    "trial refuses hparams",
    "trial reports NaN",
    "trial reports twice",
    "ingest fails",
    "ingest executes and times out",
    "store executes late",
    "core busy",
    "trial stops",
    "machine announced",
};

inline constexpr std::array<std::string_view, kCrashPoints> kCrashPointNames = {
    "master idle",
    "master before append",
    "master after append",
    "master before release",
    "master during release",
    "master after ingest",
    "master in recovery",
    "agent idle",
    "agent before save",
    "agent after save",
    "agent before start",
    "agent after start",
    "agent before stop",
    "agent before forget",
    "agent before status"};

struct Counters {
  std::array<int64_t, kFaults> faults{};
  std::array<int64_t, kCrashPoints> crashes{};
  int64_t experiments = 0;
  int64_t trials = 0;
  int64_t reports = 0;
  int64_t events = 0;  // of the journal
  int64_t recoveries = 0;

  void Add(const Counters& other) {
    for (size_t i = 0; i < kFaults; ++i) faults[i] += other.faults[i];
    for (size_t i = 0; i < kCrashPoints; ++i) crashes[i] += other.crashes[i];
    experiments += other.experiments;
    trials += other.trials;
    reports += other.reports;
    events += other.events;
    recoveries += other.recoveries;
  }
};

}  // namespace det::sim
