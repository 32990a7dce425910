#include "master/engine/snapshotter.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "common/base/archive.h"
#include "common/base/strings.h"
#include "common/json/json.h"
#include "master/spec/parse.h"

namespace det::engine {
namespace {

// Raised whenever a saved form changes: older ones are then ignored and the journal read instead.
constexpr int64_t kFormat = 5;

constexpr std::string_view kKinds[] = {"experiment/", "trial/", "task/", "agent/"};

template <class T>
std::string Save(T& aggregate) {
  ArchiveWriter writer;
  int64_t format = kFormat;
  writer(format, aggregate);
  return writer.Take();
}

std::string SaveExperiment(core::Experiment& experiment) {
  ArchiveWriter writer;
  int64_t format = kFormat;
  std::string config = spec::ToValue(*experiment.spec).ToJson();
  writer(format, config);
  FieldsOfHead(writer, experiment);
  writer(experiment.search);
  return writer.Take();
}

std::optional<std::string> SaveKey(const core::State& state, const core::Key& key) {
  const auto save = [](const auto* found) -> std::optional<std::string> {
    if (found == nullptr) return std::nullopt;
    using T = std::remove_const_t<std::remove_pointer_t<decltype(found)>>;
    return Save(const_cast<T&>(*found));  // writing only reads
  };
  if (const auto* id = std::get_if<ExperimentId>(&key)) {
    const core::Experiment* found = state.Find(*id);
    if (found == nullptr) return std::nullopt;
    return SaveExperiment(const_cast<core::Experiment&>(*found));
  }
  if (const auto* id = std::get_if<TrialId>(&key)) return save(state.Find(*id));
  if (const auto* id = std::get_if<TaskId>(&key)) return save(state.Find(*id));
  return save(state.Find(std::get<AgentId>(key)));
}

std::string SaveMeta(const core::State& state) {
  ArchiveWriter writer;
  int64_t format = kFormat;
  auto& mutable_state = const_cast<core::State&>(state);
  writer(format, mutable_state.next, mutable_state.now);
  return writer.Take();
}

bool RestoreExperiment(std::string_view bytes, core::State* state) {
  ArchiveReader reader(bytes);
  int64_t format = 0;
  std::string config;
  core::Experiment experiment;
  reader(format, config);
  FieldsOfHead(reader, experiment);
  reader(experiment.search);
  if (format != kFormat || !reader.Done()) return false;
  const absl::StatusOr<Value> value = ParseJson(config);
  if (!value.ok()) return false;
  std::string fault;
  experiment.spec =
      std::make_shared<const spec::ExperimentSpec>(spec::ParseRecorded(*value, &fault));
  if (!fault.empty()) return false;
  state->experiments[experiment.id] = std::move(experiment);
  return true;
}

template <class Map>
bool RestoreInto(std::string_view bytes, Map* map) {
  ArchiveReader reader(bytes);
  int64_t format = 0;
  typename Map::mapped_type aggregate;
  reader(format, aggregate);
  if (format != kFormat || !reader.Done()) return false;
  const auto id = aggregate.id;
  (*map)[id] = std::move(aggregate);
  return true;
}

}  // namespace

std::string SnapshotKey(const core::Key& key) {
  return std::visit([&](const auto& id) { return StrCat(kKinds[key.index()], id.value()); }, key);
}

std::optional<core::Key> ParseSnapshotKey(std::string_view text) {
  for (size_t kind = 0; kind < std::size(kKinds); ++kind) {
    if (!text.starts_with(kKinds[kind])) continue;
    const std::string_view rest = text.substr(kKinds[kind].size());
    if (kind == 3) return AgentId(std::string(rest));
    int64_t id = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), id);
    if (error != std::errc() || end != rest.data() + rest.size()) return std::nullopt;
    if (kind == 0) return ExperimentId(id);
    if (kind == 1) return TrialId(id);
    return TaskId(id);
  }
  return std::nullopt;
}

bool RestorePart(const journal::SnapshotPart& part, core::State* state) {
  const std::string_view bytes = *part.bytes;
  if (part.key == kMetaKey) {
    ArchiveReader reader(bytes);
    int64_t format = 0;
    reader(format, state->next, state->now);
    return format == kFormat && reader.Done();
  }
  if (part.key.starts_with("experiment/")) return RestoreExperiment(bytes, state);
  if (part.key.starts_with("trial/")) return RestoreInto(bytes, &state->trials);
  if (part.key.starts_with("task/")) return RestoreInto(bytes, &state->tasks);
  if (part.key.starts_with("agent/")) return RestoreInto(bytes, &state->agents);
  return false;
}

void Snapshotter::Reset(std::set<core::Key> saved, const std::map<core::Key, int64_t>& unsaved) {
  saved_ = std::move(saved);
  unsaved_ = unsaved;
  too_large_.clear();
  by_age_.clear();
  for (const auto& [key, since] : unsaved) by_age_.emplace(since, key);
}

void Snapshotter::OnChanged(const std::set<core::Key>& changed, int64_t first_seq) {
  for (const core::Key& key : changed) {
    if (unsaved_.emplace(key, first_seq).second) by_age_.emplace(first_seq, key);
  }
}

// What is too large and gone leaves a saved form to take away.
void Snapshotter::ReviveGone(const core::State& state) {
  std::erase_if(too_large_, [&](const auto& item) {
    const auto* experiment = std::get_if<ExperimentId>(&item.first);
    const bool gone = experiment != nullptr && state.Find(*experiment) == nullptr;
    if (gone) by_age_.emplace(item.second, item.first);
    return gone;
  });
}

int64_t Snapshotter::Floor(const core::State& state) const {
  int64_t floor = by_age_.empty() ? state.seq + 1 : by_age_.begin()->first;
  for (const auto& [key, since] : too_large_) floor = std::min(floor, since);
  return floor;
}

void Snapshotter::Fill(const core::State& state, journal::Batch* batch) {
  ReviveGone(state);
  if (by_age_.empty() || state.seq - by_age_.begin()->first < options_.lag_events) return;
  int64_t filled = 0;
  for (int64_t i = 0; i < kSnapshotPartsPerTurnMax && !by_age_.empty(); ++i) {
    if (filled >= kSnapshotBytesPerTurnMax) break;
    const auto [since, key] = *by_age_.begin();
    by_age_.erase(by_age_.begin());
    std::optional<std::string> bytes = SaveKey(state, key);
    const auto size = static_cast<int64_t>(bytes.has_value() ? bytes->size() : 0);
    if (size > options_.part_bytes_max) {
      too_large_[key] = since;
      continue;
    }
    unsaved_.erase(key);
    // What lived and went between two saves has no saved form that would have to go.
    if (!bytes.has_value() && !saved_.contains(key)) continue;
    filled += size;
    if (bytes.has_value()) {
      saved_.insert(key);
    } else {
      saved_.erase(key);
    }
    batch->snapshots.push_back({SnapshotKey(key), state.seq, std::move(bytes)});
  }
  batch->snapshots.push_back({kMetaKey, state.seq, SaveMeta(state)});
  batch->snapshot_floor = Floor(state);
}

}  // namespace det::engine
