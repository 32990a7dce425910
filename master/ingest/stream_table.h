#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <pqxx/pqxx>

#include "master/ingest/shipment.h"

namespace det::ingest {

// What a transaction knows of the streams that it touches: how far each is stored, and of which run
// it is. For source files only. One thread.
class StreamTable {
 public:
  // Prepares its statements on a new connection.
  static void Prepare(pqxx::connection& connection);

  // Locks the streams' rows in one order, so that writers never wait for each other in a circle.
  // `default_retention` is that of experiments that say nothing, in days.
  void Lock(pqxx::work& tx,
            const std::vector<const Shipment*>& shipments,
            int64_t default_retention);

  // Logs may follow the end of their run; nothing may follow a run that was given up, whose copy
  // may still be writing somewhere, nor come from another agent than the run's.
  bool Refuses(const Shipment& shipment) const;

  // Up to which record the shipment's stream is stored; to be advanced.
  int64_t& High(const Shipment& shipment) { return high_[shipment.key()]; }
  // The class in which the run's log lines are kept.
  int64_t RetentionOf(const Shipment& shipment) const;

  void Store(pqxx::work& tx) const;

 private:
  struct Run {
    std::string agent;
    bool ended = false;
    bool lost = false;  // given up
    int64_t retention = -1;
  };
  void LoadRuns(pqxx::work& tx, const std::string& allocations, int64_t default_retention);

  std::map<StreamKey, int64_t> high_;
  std::map<StreamKey, int64_t> before_;
  std::map<int64_t, Run> runs_;  // a run that the store never heard of has no entry
};

}  // namespace det::ingest
