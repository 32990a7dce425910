#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "agent/session/outbound.h"
#include "agent/spool/log_record.h"
#include "agent/spool/segment_log.h"
#include "common/base/archive.h"
#include "common/base/strings.h"
#include "common/os/testing.h"

namespace det::agent {

// The spools of a run as the relay and the shim write them, in small segments so that there are
// many.
class RunSpool {
 public:
  explicit RunSpool(int64_t segment_bytes = 4096)
      : reports_(Open("reports", segment_bytes)), log_(Open("log", segment_bytes)) {}

  Outbound::Options options() const {
    return {.allocation = kAllocation,
            .trial = 3,
            .reports_directory = dir_ / "reports",
            .log_directory = dir_ / "log"};
  }

  void Report(double fraction) {
    v1::Report report;
    report.mutable_progress()->set_fraction(fraction);
    Put(*reports_, report.SerializeAsString());
    ++reported_;
  }
  void RawReport(std::string_view bytes) {
    Put(*reports_, bytes);
    ++reported_;
  }
  void Print(std::string_view text,
             bool partial = false,
             spool::LogSource source = spool::LogSource::kStdout) {
    Put(*log_,
        EncodeArchive(spool::LogRecord{
            .at_ns = 1, .source = source, .partial = partial, .text = std::string(text)}));
    ++printed_;
  }
  // So many lines at once.
  void PrintMany(int64_t count, std::string_view text) {
    const std::string record = EncodeArchive(spool::LogRecord{.text = std::string(text)});
    for (int64_t i = 0; i < count; ++i) EXPECT_TRUE(log_->Append(record).ok());
    EXPECT_TRUE(log_->Flush().ok());
    printed_ += count;
  }
  void RawPrint(std::string_view bytes) {
    Put(*log_, bytes);
    ++printed_;
  }

  int64_t reported() const { return reported_; }
  int64_t printed() const { return printed_; }
  const std::string& path() const { return dir_.path(); }

  static constexpr int64_t kAllocation = 7;

 private:
  std::unique_ptr<spool::SegmentWriter> Open(const std::string& name, int64_t segment_bytes) {
    auto writer = spool::SegmentWriter::Open(
        {.directory = dir_ / name, .segment_bytes = segment_bytes, .keep_all = true});
    EXPECT_TRUE(writer.ok()) << writer.status();
    return *std::move(writer);
  }
  static void Put(spool::SegmentWriter& writer, std::string_view payload) {
    EXPECT_TRUE(writer.Append(payload).ok());
    EXPECT_TRUE(writer.Flush().ok());
  }

  testing::TempDir dir_;
  std::unique_ptr<spool::SegmentWriter> reports_;
  std::unique_ptr<spool::SegmentWriter> log_;
  int64_t reported_ = 0;
  int64_t printed_ = 0;
};

}  // namespace det::agent
