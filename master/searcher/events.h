#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "common/base/value.h"
#include "master/spec/experiment_spec.h"

// What goes into a searcher and what comes out of it.
namespace det::searcher {

// Names a trial to its searcher: the index-th of its bracket, both from 0. Searchers without
// brackets use bracket 0.
struct RequestId {
  int64_t bracket = 0;
  int64_t index = 0;
  auto operator<=>(const RequestId&) const = default;
};
template <class A>
void Fields(A& a, RequestId& x) {
  a(x.bracket, x.index);
}

// Everything that a search depends on beside its events. Refers to the owner's data.
struct Config {
  const spec::SearcherSpec& searcher;
  const spec::HparamMap& space;
  uint64_t seed = 0;
};

struct Measurement {
  RequestId request;
  double time = 0;    // of the time metric
  double metric = 0;  // as reported; NaN counts as the worst
};

enum class ExitKind {
  kCompleted,
  kErrored,
  kCanceled,        // by a user
  kInvalidHparams,  // the trial refused its hyperparameters
};

// Operations.
struct Create {
  RequestId request;
  Value hparams;
  uint32_t seed = 0;  // for the trial's own randomness, below 2^31
};
struct Stop {
  RequestId request;
  std::string why;  // "rank 9 of 12 in rung 1 of 3 (accuracy): the best 3 go on"
};
struct Shutdown {
  bool canceled = false;  // every trial was cancelled
  bool failed = false;    // every trial failed
};
using Operation = std::variant<Create, Stop, Shutdown>;

// Facts.
struct Requested {
  RequestId request;
  bool operator==(const Requested&) const = default;
};
// The trial's metric entered a rung (0 is the lowest); `metric` is signed so that less is better.
struct Measured {
  RequestId request;
  int64_t rung = 0;
  double metric = 0;
  bool operator==(const Measured&) const = default;
};
struct Stopped {
  RequestId request;
  bool operator==(const Stopped&) const = default;
};
struct Exited {
  RequestId request;
  ExitKind kind = ExitKind::kCompleted;
  bool operator==(const Exited&) const = default;
};
using Fact = std::variant<Requested, Measured, Stopped, Exited>;

// The outcome of one event. The state with all facts applied is the one that the operations assume.
struct Step {
  std::vector<Fact> facts;
  std::vector<Operation> operations;
};

struct Totals {
  int64_t requested = 0;
  int64_t closed = 0;
  int64_t errored = 0;
  int64_t canceled = 0;
  int64_t invalid = 0;
};
template <class A>
void Fields(A& a, Totals& x) {
  a(x.requested, x.closed, x.errored, x.canceled, x.invalid);
}

// The point of a trial, a function of the configuration and the request alone.
Value Point(const Config& config, RequestId request);

// Adds `count` trials to a step, the first of them `next` and the others behind it in its bracket.
void Request(const Config& config, RequestId next, int64_t count, Step* step);

}  // namespace det::searcher
