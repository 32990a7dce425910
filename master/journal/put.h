#pragma once

#include "det/journal/v1/journal.pb.h"

#include "master/core/event.h"

// Parts of events as messages; shared by the files of this folder.
namespace det::journal::internal {

namespace pb = det::journal::v1;

// Enumerators of the core and of the proto are in the same order; the proto's begin at 1.
template <class P, class E>
P ToProto(E e) {
  return static_cast<P>(static_cast<int>(e) + 1);
}

void Put(const core::Reason& reason, pb::Reason* out);
void Put(const searcher::RequestId& request, pb::RequestId* out);
void Put(const core::ReportId& report, pb::ReportId* out);
void Put(const core::LogMatch& match, pb::LogPolicyMatched* out);
void Put(const searcher::Fact& fact, pb::SearchFact* out);
void Put(const searcher::Bracket& bracket, pb::SavedSearch::Bracket* out);
void Put(const searcher::State& search, pb::SavedSearch* out);
void Put(const core::Experiment& e, pb::SavedExperiment* out);
void Put(const core::Trial& t, int64_t runs, pb::SavedTrial* out);

}  // namespace det::journal::internal
