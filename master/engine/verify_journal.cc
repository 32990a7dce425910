#include "master/engine/verify_journal.h"

#include "common/base/status.h"
#include "common/base/strings.h"
#include "master/core/decide.h"
#include "master/core/state_hash.h"

namespace det::engine {
namespace {

class Verifier {
 public:
  explicit Verifier(int64_t last_seq) : last_seq_(last_seq) {}

  absl::Status Visit(const journal::Recorded& recorded) {
    if (recorded.seq > last_seq_ || !report_.broken.empty()) return absl::OkStatus();
    if (recorded.seq != state_.seq + 1) {
      report_.broken = StrCat("after event ", state_.seq, " comes event ", recorded.seq);
      return absl::OkStatus();
    }
    core::Apply(state_, recorded.event);
    ++report_.events;
    if (recorded.hash_format != 0) Compare(recorded);
    return absl::OkStatus();
  }

  JournalReport Finish() {
    if (report_.broken.empty() && state_.seq != last_seq_)
      report_.broken = StrCat("it ends at event ", state_.seq, ", not at ", last_seq_);
    report_.hash = hash_.value();
    return std::move(report_);
  }

 private:
  void Compare(const journal::Recorded& recorded) {
    hash_.Update(state_, state_.changed);
    state_.changed.clear();
    state_.dirty.clear();
    state_.departed = {};
    if (recorded.hash_format != core::kHashFormat) return;  // an older version's
    ++report_.commits;
    if (hash_.value() != recorded.state_hash)
      report_.broken = StrCat("after event ", recorded.seq, " the state is not the recorded one");
  }

  const int64_t last_seq_;
  core::State state_;
  core::RunningHash hash_;
  JournalReport report_;
};

}  // namespace

absl::StatusOr<JournalReport> VerifyJournal(journal::Journal& journal) {
  DET_ASSIGN_OR_RETURN(const journal::Loaded loaded, journal.Load());
  Verifier verifier(loaded.last_seq);
  DET_RETURN_IF_ERROR(
      journal.Read(1, [&](const journal::Recorded& recorded) { return verifier.Visit(recorded); }));
  return verifier.Finish();
}

}  // namespace det::engine
