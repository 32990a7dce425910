#include "agent/shim/task_log.h"

#include <algorithm>

#include "agent/spool/headroom.h"
#include "common/base/archive.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/process.h"

namespace det::agent {

using spool::LogSource;

namespace {

constexpr int64_t kAskEvery = int64_t{64} << 10;

}  // namespace

TaskLog::TaskLog(const std::string& directory, int64_t bytes_max, const Clock* clock)
    : options_{.directory = directory, .bytes_max = bytes_max}, clock_(clock) {
  Open();
}

bool TaskLog::Open() {
  if (writer_ != nullptr) return true;
  auto writer = spool::SegmentWriter::Open(options_);
  if (writer.ok()) writer_ = *std::move(writer);
  return writer_ != nullptr;
}

void TaskLog::Print(LogSource source, std::string_view bytes) {
  now_ns_ = absl::ToUnixNanos(clock_->Now());
  splitters_[static_cast<size_t>(source)].Feed(
      bytes, [&](std::string_view text, bool partial) { Append(source, partial, text); });
}

void TaskLog::End(LogSource source) {
  now_ns_ = absl::ToUnixNanos(clock_->Now());
  splitters_[static_cast<size_t>(source)].Finish(
      [&](std::string_view text, bool partial) { Append(source, partial, text); });
}

void TaskLog::Say(std::string_view text) {
  now_ns_ = absl::ToUnixNanos(clock_->Now());
  Append(LogSource::kAgent, false, text);
}

void TaskLog::Append(LogSource source, bool partial, std::string_view text) {
  TellDropped();
  if (dropped_ > 0 || !Write(source, partial, text)) ++dropped_;
}

void TaskLog::TellDropped() {
  // A full disk is not asked about each line.
  if (dropped_ == 0 || SteadyNow() < retry_at_) return;
  const std::string text =
      StrCat(dropped_, " lines are missing here: there was no room on the disk");
  if (Write(LogSource::kAgent, false, text)) dropped_ = 0;
}

bool TaskLog::Write(LogSource source, bool partial, std::string_view text) {
  const spool::LogRecord record{
      .at_ns = now_ns_, .source = source, .partial = partial, .text = std::string(text)};
  if (!HasRoom(text.size()) || !Open() || !writer_->Append(EncodeArchive(record)).ok()) {
    retry_at_ = SteadyNow() + kFlushInterval;
    return false;
  }
  waits_ = true;
  return true;
}

bool TaskLog::HasRoom(size_t bytes) {
  if (room_ <= 0)
    room_ = std::min(spool::RoomAbove(ParentDirectory(options_.directory)), kAskEvery);
  if (room_ <= 0) return false;
  room_ -= static_cast<int64_t>(bytes);
  return true;
}

void TaskLog::FlushIfDue() {
  TellDropped();
  if (waits_ && SteadyNow() - flushed_at_ >= kFlushInterval) Flush();
}

void TaskLog::Finish() {
  Flush();
  retry_at_ = absl::ZeroDuration();
  TellDropped();
  Flush();
}

void TaskLog::Flush() {
  if (!waits_) return;
  flushed_at_ = SteadyNow();
  if (!writer_->Flush().ok()) return;
  flushed_through_ = writer_->next_seq() - 1;
  waits_ = false;
}

int64_t TaskLog::untold() const {
  const int64_t waiting = waits_ ? writer_->next_seq() - 1 - flushed_through_ : 0;
  return dropped_ + waiting;
}

}  // namespace det::agent
