#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "det/agent/v1/agent.pb.h"

#include "agent/relay/relay.h"

namespace det::agent {

// What a master keeps of the streams, with its rules: what comes twice is stored once, a gap in the
// reports of the relay ends a shipment, and an answer says how far the stream is stored.
class Ledger {
 public:
  v1::ShipReply Take(const v1::ShipRequest& request) {
    Stream& stream = streams_[{request.allocation(), request.stream()}];
    for (const v1::Report& report : request.reports()) {
      if (report.seq() <= stream.high) continue;
      if (request.stream() == kRelayStream && report.seq() != stream.high + 1) break;
      stream.high = report.seq();
      stream.reports.push_back(report);
    }
    for (const v1::LogRecord& record : request.logs()) {
      if (record.seq() <= stream.high) continue;
      stream.high = record.seq();
      stream.logs.push_back(record);
    }
    v1::ShipReply reply;
    reply.set_allocation(request.allocation());
    reply.set_stream(request.stream());
    reply.set_seq(stream.high);
    return reply;
  }

  std::vector<v1::Report> Reports(int64_t allocation, int stream) const {
    const auto it = streams_.find({allocation, stream});
    return it == streams_.end() ? std::vector<v1::Report>() : it->second.reports;
  }
  std::vector<v1::LogRecord> Logs(int64_t allocation) const {
    const auto it = streams_.find({allocation, kLogStream});
    return it == streams_.end() ? std::vector<v1::LogRecord>() : it->second.logs;
  }

 private:
  struct Stream {
    int64_t high = 0;
    std::vector<v1::Report> reports;
    std::vector<v1::LogRecord> logs;
  };
  std::map<std::pair<int64_t, int>, Stream> streams_;
};

}  // namespace det::agent
