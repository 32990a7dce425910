#include "master/store/log_scan.h"

#include <algorithm>

#include "common/base/status.h"

namespace det::store {
namespace {

// A host's clock is set back now and then: lines next to the bound are looked at one by one.
constexpr absl::Duration kClockSlack = absl::Seconds(30);

template <class T>
bool Allows(const std::vector<T>& wanted, T value) {
  return wanted.empty() || std::find(wanted.begin(), wanted.end(), value) != wanted.end();
}

}  // namespace

bool LogFilter::Takes(const LogPart& part) const {
  return Allows(ranks, part.rank) && Allows(runs, part.run);
}

bool LogFilter::Takes(const LogRow& row) const {
  if (!Allows(sources, row.source) || row.level < min_level) return false;
  if (since.has_value() && row.at < *since) return false;
  if (until.has_value() && row.at >= *until) return false;
  return !pattern.has_value() || pattern->FoundIn(row.line);
}

absl::Status LogScan::Load() {
  DET_ASSIGN_OR_RETURN(log_, store_.Find(trial_));
  loaded_ = true;
  for (const LogPart& part : log_.parts) {
    if (!filter_.Takes(part)) continue;
    Job job{.part = part};
    bool skip = false;
    SkipToStart(part, &job, &skip);
    if (skip) {
      seen_[{part.allocation.value(), part.rank}] = {part.end, part.end};
    } else if (direction_ == Direction::kForward) {
      jobs_.push_back(std::move(job));
    } else {
      if (!job.sought) job.from = kLogEnd;
      jobs_.push_front(std::move(job));
    }
  }
  return absl::OkStatus();
}

void LogScan::SkipToStart(const LogPart& part, Job* job, bool* skip) {
  if (start_line_ > 0) {
    *skip = part.end.seq < start_line_;
    job->from = {start_line_ - 1, kLogEnd.note};
    job->sought = true;
    start_line_ = *skip ? start_line_ - part.end.seq : 0;
  } else if (start_.has_value()) {
    const auto own = std::pair(part.allocation, part.rank);
    const auto start = std::pair(start_->allocation, start_->rank);
    *skip = direction_ == Direction::kForward ? own < start : own > start;
    if (own != start) return;
    job->from = start_->place;
    job->sought = true;
  }
}

absl::Status LogScan::Seek(Job* job) {
  if (std::exchange(job->sought, true)) return absl::OkStatus();
  const bool forward = direction_ == Direction::kForward;
  if (forward && filter_.since.has_value()) {
    DET_ASSIGN_OR_RETURN(job->from, store_.Before(log_, job->part, *filter_.since - kClockSlack));
  } else if (!forward && filter_.until.has_value()) {
    DET_ASSIGN_OR_RETURN(job->from, store_.Before(log_, job->part, *filter_.until + kClockSlack));
  }
  return absl::OkStatus();
}

// False when all that follows in its part is out of bounds.
bool LogScan::Take(const LogRow& row, std::vector<LogRow>* found) {
  const bool forward = direction_ == Direction::kForward;
  const auto& bound = forward ? filter_.until : filter_.since;
  if (bound.has_value()) {
    if (forward && row.at > *bound + kClockSlack) return false;
    if (!forward && row.at < *bound - kClockSlack) return false;
  }
  if (filter_.Takes(row)) found->push_back(row);
  return true;
}

absl::StatusOr<bool> LogScan::Step(int64_t records_max, std::vector<LogRow>* found) {
  if (!loaded_) DET_RETURN_IF_ERROR(Load());
  if (jobs_.empty()) return false;
  Job& job = jobs_.front();
  DET_RETURN_IF_ERROR(Seek(&job));
  DET_ASSIGN_OR_RETURN(
      const std::vector<LogRow> rows,
      store_.Read(log_, job.part, {job.from, direction_ == Direction::kBackward, records_max}));
  bool within = true;
  for (const LogRow& row : rows) {
    within = within && Take(row, found);
    job.from = {row.seq, row.note};
  }
  scanned_ += static_cast<int64_t>(rows.size());
  if (!rows.empty()) position_ = LogPosition{job.part.allocation, job.part.rank, job.from};
  if (static_cast<int64_t>(rows.size()) < records_max || !within) {
    seen_[{job.part.allocation.value(), job.part.rank}] = {job.from, job.part.end};
    jobs_.pop_front();
  }
  return !jobs_.empty();
}

absl::StatusOr<bool> LogScan::Refresh() {
  DET_ASSIGN_OR_RETURN(log_, store_.Find(trial_));
  for (const LogPart& part : log_.parts) {
    if (!filter_.Takes(part)) continue;
    const auto seen = seen_.find({part.allocation.value(), part.rank});
    if (seen != seen_.end() && seen->second.end == part.end) continue;
    Job job{.part = part};
    if (seen != seen_.end()) {
      job.from = seen->second.read;
      job.sought = true;
    }
    jobs_.push_back(std::move(job));
  }
  return !jobs_.empty();
}

}  // namespace det::store
