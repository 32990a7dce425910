#include "agent/session/outbound.h"

#include <algorithm>

#include "agent/relay/relay.h"
#include "agent/spool/log_record.h"
#include "common/base/archive.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::agent {
namespace {

constexpr size_t kRecordsPerMessage = 2000;
constexpr size_t kBytesPerMessage = 256 << 10;
constexpr int64_t kBytesInFlight = 4 << 20;
// Files are looked through for what may go every so many records.
constexpr int64_t kTrimEvery = 1000;
// So many lost reports are told of one by one.
constexpr int64_t kMissingMax = 100000;
// A printed report is a line of at most so many bytes.

v1::LogRecord::Source SourceOf(spool::LogSource source) {
  switch (source) {
    case spool::LogSource::kStdout:
      return v1::LogRecord::SOURCE_STDOUT;
    case spool::LogSource::kStderr:
      return v1::LogRecord::SOURCE_STDERR;
    case spool::LogSource::kAgent:
      return v1::LogRecord::SOURCE_AGENT;
  }
  return v1::LogRecord::SOURCE_AGENT;
}

}  // namespace

void Outbound::Progress::Sent(int64_t last, int64_t bytes) {
  sent = std::max(sent, last);
  in_flight.emplace(last, bytes);
  bytes_in_flight += bytes;
}

// The master may know more than this life of the agent has sent. What was not read again yet may
// hold reports that it does not know.
void Outbound::Progress::Acked(int64_t seq) {
  acked = std::max(acked, std::min(seq, sent));
  while (!in_flight.empty() && in_flight.begin()->first <= acked) {
    bytes_in_flight -= in_flight.begin()->second;
    in_flight.erase(in_flight.begin());
  }
}

void Outbound::Progress::Rewind() {
  next = acked + 1;
  sent = acked;
  bytes_in_flight = 0;
  in_flight.clear();
}

Outbound::Outbound(Options options)
    : options_(std::move(options)),
      reports_(options_.reports_directory),
      lines_(options_.log_directory) {}

v1::ShipRequest Outbound::NewRequest(int stream) const {
  v1::ShipRequest request;
  request.set_allocation(options_.allocation);
  request.set_trial(options_.trial);
  request.set_stream(stream);
  return request;
}

absl::StatusOr<std::optional<v1::ShipRequest>> Outbound::Next() {
  // Reports first: decisions wait for them. What the log holds of them goes before its lines.
  DET_ASSIGN_OR_RETURN(std::optional<v1::ShipRequest> reports, NextReports());
  if (reports.has_value()) return reports;
  if (derived_.has_value()) return std::exchange(derived_, std::nullopt);
  if (std::optional<v1::ShipRequest> samples = NextSamples()) return samples;
  return NextLogs();
}

// Numbered by their time, so that the next life of the agent goes on behind this one.
void Outbound::AddSamples(std::vector<v1::Report> samples) {
  if (final_) return;
  for (v1::Report& sample : samples) {
    constexpr int64_t kNanosPerNumber = 100'000;
    sample_seq_ = std::max(sample_seq_ + 1, sample.at_unix_nanos() / kNanosPerNumber);
    sample.set_seq(sample_seq_);
    samples_.push_back(std::move(sample));
  }
  while (samples_.size() > kSamplesMax) samples_.pop_front();
}

std::optional<v1::ShipRequest> Outbound::NextSamples() {
  if (samples_.empty() || samples_.back().seq() <= samples_sent_) return std::nullopt;
  v1::ShipRequest request = NewRequest(kSampleStream);
  for (const v1::Report& sample : samples_) {
    if (sample.seq() > samples_sent_) *request.add_reports() = sample;
  }
  samples_sent_ = samples_.back().seq();
  return request;
}

absl::StatusOr<std::optional<v1::ShipRequest>> Outbound::NextReports() {
  if (relay_.bytes_in_flight >= kBytesInFlight) return std::nullopt;
  DET_ASSIGN_OR_RETURN(const std::vector<spool::LogEntry> entries,
                       reports_.Read(relay_.next, kRecordsPerMessage, kBytesPerMessage));
  reports_read_ = final_ && entries.empty();
  if (entries.empty()) return std::nullopt;
  v1::ShipRequest request = NewRequest(kRelayStream);
  int64_t bytes = 0;
  for (const spool::LogEntry& entry : entries) {
    AddMissing(entry, &request);
    v1::Report* report = request.add_reports();
    if (!report->ParseFromString(entry.payload)) report->Clear();  // the master says what is wrong
    report->set_seq(entry.seq);
    bytes += static_cast<int64_t>(entry.payload.size());
  }
  relay_.next = entries.back().seq + 1;
  relay_.Sent(entries.back().seq, bytes);
  return request;
}

// The master takes no report after a gap, and the run could never end: what a damaged disk has lost
// is told as reports that say nothing. It knows those that were freed here long ago.
void Outbound::AddMissing(const spool::LogEntry& entry, v1::ShipRequest* request) const {
  if (entry.dropped_before > kMissingMax) return;
  for (int64_t seq = entry.seq - entry.dropped_before; seq < entry.seq; ++seq)
    request->add_reports()->set_seq(seq);
}

absl::StatusOr<std::optional<v1::ShipRequest>> Outbound::NextLogs() {
  if (log_.bytes_in_flight >= kBytesInFlight) return std::nullopt;
  DET_ASSIGN_OR_RETURN(const std::vector<spool::LogEntry> entries,
                       lines_.Read(log_.next, kRecordsPerMessage, kBytesPerMessage));
  if (entries.empty()) {
    log_read_ = final_;
    return std::nullopt;
  }
  v1::ShipRequest request = NewRequest(kLogStream);
  int64_t bytes = 0;
  for (const spool::LogEntry& entry : entries) {
    spool::LogRecord read;
    if (!DecodeArchive(entry.payload, &read))
      read = {.source = spool::LogSource::kAgent, .text = "(a record that can't be read)"};
    v1::LogRecord* record = request.add_logs();
    record->set_seq(entry.seq);
    record->set_at_unix_nanos(read.at_ns);
    record->set_source(SourceOf(read.source));
    record->set_text(std::move(read.text));
    record->set_partial(read.partial);
    record->set_dropped(entry.dropped_before);
    bytes += static_cast<int64_t>(entry.payload.size());
    Derive(*record);
  }
  log_.next = entries.back().seq + 1;
  log_.Sent(entries.back().seq, bytes);
  return request;
}

// Reports come from whole lines of standard output; a long line comes in pieces.
void Outbound::Derive(const v1::LogRecord& record) {
  if (record.dropped() > 0) line_ = {};
  if (record.source() != v1::LogRecord::SOURCE_STDOUT) return;
  if (line_.first == 0) line_.first = record.seq();
  line_.too_long = line_.too_long || line_.text.size() + record.text().size() > kReportLineBytesMax;
  if (!line_.too_long || line_.text.empty()) line_.text += record.text();
  if (record.partial()) return;
  const Line line = std::exchange(line_, {});
  // Each report of a line has a number of its own, which the line's number gives.
  int64_t number = record.seq() * kReportsPerLineMax;
  std::vector<v1::Report> reports = line.too_long ? ReadTooLongLine(line.text, record.seq())
                                                  : ReadReportLine(line.text, record.seq());
  for (v1::Report& report : reports) {
    if (!derived_.has_value()) derived_ = NewRequest(kLogReportStream);
    report.set_seq(number);
    report.set_at_unix_nanos(record.at_unix_nanos());
    *derived_->add_reports() = std::move(report);
    pending_derived_[number++] = line.first;
  }
}

void Outbound::OnReply(const v1::ShipReply& reply) {
  if (reply.stream() == kRelayStream) {
    relay_.Acked(reply.seq());
    if (relay_.acked - relay_trimmed_ >= kTrimEvery || (final_ && relay_.Idle())) {
      spool::TrimThrough(options_.reports_directory, relay_.acked).IgnoreError();
      relay_trimmed_ = relay_.acked;
    }
  } else if (reply.stream() == kLogStream) {
    log_.Acked(reply.seq());
    TrimLog();
  } else if (reply.stream() == kSampleStream) {
    while (!samples_.empty() && samples_.front().seq() <= reply.seq()) samples_.pop_front();
  } else if (reply.stream() == kLogReportStream) {
    pending_derived_.erase(pending_derived_.begin(), pending_derived_.upper_bound(reply.seq()));
    TrimLog();
  }
}

// Reports are read from the log again after a new connection or by a restarted agent, so lines
// whose reports are on their way stay, from their first piece on.
int64_t Outbound::FirstNeeded() const {
  int64_t first = std::min(log_.acked + 1, log_.next);
  if (!pending_derived_.empty()) first = std::min(first, pending_derived_.begin()->second);
  if (line_.first != 0) first = std::min(first, line_.first);
  return first;
}

void Outbound::TrimLog() {
  const int64_t through = FirstNeeded() - 1;
  if (through - log_trimmed_ < kTrimEvery) return;
  spool::TrimThrough(options_.log_directory, through).IgnoreError();
  log_trimmed_ = through;
}

void Outbound::Rewind() {
  const int64_t first = FirstNeeded();
  samples_sent_ = 0;
  relay_.Rewind();
  log_.Rewind();
  log_.next = first;
  line_ = {};
  derived_.reset();
  pending_derived_.clear();
  reports_read_ = log_read_ = false;
}

}  // namespace det::agent
