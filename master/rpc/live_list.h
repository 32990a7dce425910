#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "det/api/v1/cluster.pb.h"

#include "common/base/status.h"
#include "common/filter/filter.h"
#include "common/filter/sort.h"
#include "master/rpc/convert.h"

// Lists of what the core's state holds, filtered and sorted.
namespace det::rpc {

// What a list can be filtered and sorted by.
template <class Message>
struct LiveFields {
  filter::FieldTable table;
  filter::Datum (*of)(const Message&, std::string_view field);
};

const LiveFields<api::v1::Agent>& AgentFields();
const LiveFields<api::v1::Job>& JobFields();

// The page's number of things before it; 0 for the first. Errors: INVALID_ARGUMENT (reason
// BAD_PAGE).
absl::StatusOr<size_t> OffsetOf(const std::string& page);

// One page of a list whose things come in their order: of those that a filter lets through or, with
// a sort, the part of all that it asks for. It is made on the core thread: what it looks at is
// bounded.
template <class Message>
class LiveList {
 public:
  template <class Request>
  static absl::StatusOr<LiveList> Make(const LiveFields<Message>& fields,
                                       const Request& request,
                                       absl::Time now) {
    DET_ASSIGN_OR_RETURN(auto filter, filter::Filter::Make(request.filter(), fields.table, now));
    DET_ASSIGN_OR_RETURN(
        auto sort,
        filter::Sort::Make({request.sort().begin(), request.sort().end()}, fields.table));
    DET_ASSIGN_OR_RETURN(const size_t offset, OffsetOf(request.page()));
    LiveList list(fields, std::move(filter), std::move(sort));
    list.limit_ = static_cast<size_t>(Limit(request.limit(), 100, 1000));
    list.offset_ = offset;
    return list;
  }

  bool sorted() const { return !sort_.empty(); }
  // Whether another thing should be added, if there is one.
  bool Wants() const {
    if (sorted()) return looked_at_ < kSortedMax;
    return looked_at_ < kLookedAtMax && found_.size() < limit_;
  }
  // Looked at, and nothing for this list.
  void Pass() { ++looked_at_; }
  void Add(Message message) {
    ++looked_at_;
    if (filter_.Matches(RecordOf(message))) found_.push_back(std::move(message));
  }

  // Gives what the page shows. `more` says that not all was added.
  template <class Field>
  absl::Status Finish(bool more, Field* field, std::string* next_page) {
    size_t begin = 0;
    size_t end = found_.size();
    if (sorted()) {
      if (more) return TooMany();
      std::stable_sort(found_.begin(), found_.end(), [&](const Message& a, const Message& b) {
        return sort_.Compare(RecordOf(a), RecordOf(b)) < 0;
      });
      begin = std::min(offset_, end);
      end = std::min(begin + limit_, end);
      if (end < found_.size()) *next_page = "o" + std::to_string(end);
    }
    for (size_t i = begin; i < end; ++i) *field->Add() = std::move(found_[i]);
    return absl::OkStatus();
  }

 private:
  static constexpr size_t kLookedAtMax = 2'000;
  static constexpr size_t kSortedMax = 10'000;

  LiveList(const LiveFields<Message>& fields, filter::Filter filter, filter::Sort sort)
      : fields_(fields), filter_(std::move(filter)), sort_(std::move(sort)) {}

  filter::Record RecordOf(const Message& message) const {
    return [this, &message](const filter::Field& field) { return fields_.of(message, field.name); };
  }

  static absl::Status TooMany() {
    return Error(absl::StatusCode::kOutOfRange,
                 "TOO_MANY_TO_SORT",
                 "more than 10000 things are too many to sort",
                 "leave out the sort: they come in their own order");
  }

  const LiveFields<Message>& fields_;
  filter::Filter filter_;
  filter::Sort sort_;
  size_t limit_ = 0;
  size_t offset_ = 0;
  size_t looked_at_ = 0;
  std::vector<Message> found_;
};

}  // namespace det::rpc
