#include "master/rpc/live_list.h"

#include <gtest/gtest.h>

namespace det::rpc {
namespace {

namespace pb = det::api::v1;

pb::Job Job(int64_t experiment, const std::string& owner, int64_t waiting) {
  pb::Job job;
  job.set_experiment(experiment);
  job.set_owner(owner);
  job.set_slots_waiting(waiting);
  return job;
}

// The page that a request gives of so many jobs, in the way of the service.
absl::StatusOr<pb::ListJobsResponse> List(const pb::ListJobsRequest& request, int jobs) {
  DET_ASSIGN_OR_RETURN(auto list, LiveList<pb::Job>::Make(JobFields(), request, absl::UnixEpoch()));
  int next = 1;
  for (; next <= jobs && list.Wants(); ++next) {
    list.Add(Job(next, next % 2 == 0 ? "ann" : "bob", next % 7));
  }
  pb::ListJobsResponse response;
  DET_RETURN_IF_ERROR(
      list.Finish(next <= jobs, response.mutable_jobs(), response.mutable_next_page()));
  return response;
}

TEST(LiveListTest, FiltersInTheOrderOfThings) {
  pb::ListJobsRequest request;
  request.set_filter("owner = ann and slots_waiting > 3");
  request.set_limit(3);
  const auto page = List(request, 100);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->jobs_size(), 3);
  EXPECT_EQ(page->jobs(0).experiment(), 4);
  EXPECT_EQ(page->jobs(1).experiment(), 6);
  EXPECT_EQ(page->jobs(2).experiment(), 12);
}

TEST(LiveListTest, SortsAllAndGivesThePages) {
  pb::ListJobsRequest request;
  request.add_sort("-slots_waiting");
  request.add_sort("experiment");
  request.set_limit(40);
  std::vector<std::pair<int64_t, int64_t>> seen;
  do {
    const auto page = List(request, 100);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const pb::Job& job : page->jobs())
      seen.emplace_back(-job.slots_waiting(), job.experiment());
    request.set_page(page->next_page());
  } while (!request.page().empty());
  EXPECT_EQ(seen.size(), 100U);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

TEST(LiveListTest, LooksAtSoManyAndNoMore) {
  pb::ListJobsRequest request;
  request.set_filter("owner = nobody");
  const auto few = List(request, 100'000);
  ASSERT_TRUE(few.ok());
  EXPECT_EQ(few->jobs_size(), 0);
  request.clear_filter();
  request.add_sort("owner");
  EXPECT_EQ(ErrorReason(List(request, 100'000).status()), "TOO_MANY_TO_SORT");
}

TEST(LiveListTest, RefusesWhatItDoesNotKnow) {
  pb::ListJobsRequest request;
  request.set_filter("ownr = ann");
  EXPECT_EQ(ErrorReason(List(request, 1).status()), "BAD_FILTER");
  request.clear_filter();
  request.add_sort("ownr");
  EXPECT_EQ(ErrorReason(List(request, 1).status()), "BAD_SORT");
  request.clear_sort();
  request.set_page("i7");
  EXPECT_EQ(ErrorReason(List(request, 1).status()), "BAD_PAGE");
}

}  // namespace
}  // namespace det::rpc
