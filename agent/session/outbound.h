#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "det/agent/v1/agent.pb.h"

#include "agent/relay/report_line.h"
#include "agent/spool/segment_log.h"

namespace det::agent {

// What one run has to tell the master: its reports through the relay, its log, and the reports read
// from its log. Reads what lies on disk, remembers what was sent and what is acknowledged, and
// frees what is no longer needed. One thread.
class Outbound {
 public:
  struct Options {
    int64_t allocation = 0;
    int64_t trial = 0;
    std::string reports_directory;
    std::string log_directory;
  };
  explicit Outbound(Options options);

  // The next records to send, or nothing for now. At most kBytesPerMessage in one, and
  // kBytesInFlight unacknowledged a stream.
  absl::StatusOr<std::optional<v1::ShipRequest>> Next();

  void OnReply(const v1::ShipReply& reply);

  // What was sampled of the run, to be sent beside its reports. It is kept in memory until it is
  // acknowledged, the latest kSamplesMax, and nothing waits for it.
  void AddSamples(std::vector<v1::Report> samples);
  static constexpr size_t kSamplesMax = 1000;

  const std::string& log_directory() const { return options_.log_directory; }

  // A new connection: what was not acknowledged is sent again.
  void Rewind();

  // The run has ended and its log is complete.
  void MarkFinal() {
    final_ = true;
    samples_.clear();
  }
  // Everything that the run reported is with the master; its log lines need not be. Only after
  // MarkFinal, and once the whole log has been looked at for reports.
  bool Drained() const {
    return final_ && reports_read_ && log_read_ && relay_.Idle() && pending_derived_.empty();
  }
  // Its log lines are with the master too.
  bool Empty() const { return Drained() && log_.Idle() && !derived_.has_value(); }

 private:
  // How far a stream was sent and acknowledged, and what is on its way.
  struct Progress {
    int64_t next = 1;  // to be read
    int64_t sent = 0;  // the last one sent
    int64_t acked = 0;
    int64_t bytes_in_flight = 0;
    std::set<std::pair<int64_t, int64_t>> in_flight;  // (last seq, bytes) by message

    bool Idle() const { return sent <= acked && in_flight.empty(); }
    void Sent(int64_t last, int64_t bytes);
    void Acked(int64_t seq);
    void Rewind();
  };

  // A line of standard output, of which the first pieces were read.
  struct Line {
    int64_t first = 0;  // the first piece's seq; 0: none yet
    std::string text;
    bool too_long = false;
  };

  absl::StatusOr<std::optional<v1::ShipRequest>> NextReports();
  absl::StatusOr<std::optional<v1::ShipRequest>> NextLogs();
  std::optional<v1::ShipRequest> NextSamples();
  void AddMissing(const spool::LogEntry& entry, v1::ShipRequest* request) const;
  void Derive(const v1::LogRecord& record);
  int64_t FirstNeeded() const;
  void TrimLog();
  v1::ShipRequest NewRequest(int stream) const;

  const Options options_;
  spool::SegmentReader reports_;
  spool::SegmentReader lines_;
  Progress relay_;
  Progress log_;
  Line line_;
  std::optional<v1::ShipRequest> derived_;  // reports found in the log, not sent yet
  // Their numbers until they are acknowledged, and where in the log the line of each begins.
  std::map<int64_t, int64_t> pending_derived_;
  std::deque<v1::Report> samples_;
  int64_t samples_sent_ = 0;  // the last one that is on its way
  int64_t sample_seq_ = 0;    // of the last one there was
  bool final_ = false;
  bool reports_read_ = false;  // to their end, since they are complete
  bool log_read_ = false;      // the same for the log
  int64_t relay_trimmed_ = 0;
  int64_t log_trimmed_ = 0;
};

}  // namespace det::agent
