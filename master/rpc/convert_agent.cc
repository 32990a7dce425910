#include "master/rpc/convert_agent.h"

#include <cmath>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/json/json.h"
#include "common/s3/credentials.h"
#include "common/storage/place.h"
#include "master/ingest/limits.h"
#include "master/spec/parse.h"
#include "master/storage/place_of.h"

namespace det::rpc {
namespace {

namespace pb = det::agent::v1;

absl::Status Bad(std::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_MESSAGE", what);
}

// Enumerators of the core and of the proto are in the same order; the proto's begin at 1.
absl::StatusOr<core::AllocationState> State(pb::AllocationState state) {
  const int index = static_cast<int>(state) - 1;
  if (index < 0 || index > 4) return Bad("an allocation state that is not known");
  return static_cast<core::AllocationState>(index);
}

absl::StatusOr<core::Exit> FromProto(const pb::Exit& exit) {
  const int kind = static_cast<int>(exit.kind()) - 1;
  if (kind < 0 || kind > 5) return Bad("an exit of a kind that is not known");
  return core::Exit{
      static_cast<core::ExitKind>(kind), exit.code(), exit.signal(), exit.on_order(), exit.text()};
}

absl::StatusOr<Value> ObjectOf(const std::string& json, std::string_view what) {
  if (json.empty()) return Value(Value::Object{});
  absl::StatusOr<Value> value = ParseJson(json);
  if (!value.ok()) return Annotate(value.status(), what);
  if (!value->is_object()) return Bad(StrCat(what, " is not a map"));
  return value;
}

using ReportBody = decltype(ingest::Report::body);

absl::StatusOr<ReportBody> FromProto(const pb::Metrics& m) {
  DET_ASSIGN_OR_RETURN(const Value values, ObjectOf(m.metrics_json(), "metrics"));
  if (m.group().empty() || static_cast<int64_t>(m.group().size()) > ingest::kMetricNameBytesMax) {
    return Bad("a metric group needs a name of 1 to 512 bytes");
  }
  if (m.group().find('.') != std::string::npos)
    return Bad(StrCat("the metric group \"", m.group(), "\" has a \".\" in its name"));
  if (static_cast<int64_t>(values.as_object().size()) > ingest::kMetricsPerReportMax) {
    return Bad(StrCat("a report has ",
                      values.as_object().size(),
                      " metrics, at most ",
                      ingest::kMetricsPerReportMax,
                      " are allowed"));
  }
  for (const auto& [name, value] : values.as_object()) {
    if (static_cast<int64_t>(name.size()) > ingest::kMetricNameBytesMax) {
      return Bad("a metric's name is longer than 512 bytes");
    }
  }
  return ingest::Metrics{
      .group = m.group(), .steps_completed = m.steps_completed(), .values = values};
}

absl::StatusOr<ReportBody> FromProto(const pb::Checkpoint& c) {
  DET_ASSIGN_OR_RETURN(Value files, ObjectOf(c.files_json(), "a checkpoint's files"));
  DET_ASSIGN_OR_RETURN(Value metadata, ObjectOf(c.metadata_json(), "a checkpoint's metadata"));
  return ingest::Checkpoint{
      c.uuid(), c.steps_completed(), c.bytes(), std::move(files), std::move(metadata)};
}

absl::StatusOr<ReportBody> BodyOf(const pb::Report& r) {
  switch (r.body_case()) {
    case pb::Report::kMetrics:
      return FromProto(r.metrics());
    case pb::Report::kCheckpoint:
      return FromProto(r.checkpoint());
    case pb::Report::kProgress:
      if (!(r.progress().fraction() >= 0 && r.progress().fraction() <= 1))
        return Bad("progress beyond 0..1");
      return ingest::Progress{r.progress().fraction()};
    case pb::Report::kInvalidHparams:
      return ingest::InvalidHparams{};
    case pb::Report::kStop:
      return ingest::Stop{};
    case pb::Report::kPendingPreemption:
      return ingest::PendingPreemption{};
    case pb::Report::kUnreadable:
      return Bad(r.unreadable().why());
    case pb::Report::BODY_NOT_SET:
      break;
  }
  return Bad("a report of a kind that is not known");
}

// A secret that can't be had is told to the agent, which lets the trial fail of it.
void PutBucket(const storage::S3& place,
               const std::string& owner,
               const config::SecretStore& secrets,
               pb::Bucket* out) {
  out->set_url(storage::ToUrl(place));
  for (const std::string& ref : {place.access_key_ref, place.secret_key_ref}) {
    if (ref.empty() || s3::NamesVariable(ref)) continue;
    const absl::StatusOr<Secret> secret = secrets.Get(ref, owner);
    if (secret.ok()) {
      (*out->mutable_secrets())[ref] = secret->Reveal();
    } else {
      out->set_fault(std::string(secret.status().message()));
    }
  }
}

void PutOrder(const core::RunOrder& order, const config::SecretStore& secrets, pb::RunOrder* out) {
  const spec::ExperimentSpec& spec = *order.spec;
  out->set_experiment(order.experiment.value());
  out->set_trial(order.trial.value());
  out->set_task(order.task.value());
  out->set_owner(order.owner);
  out->set_config_json(spec::ToValue(spec).ToJson());
  out->set_hparams_json(order.hparams.ToJson());
  out->set_seed(order.seed);
  out->set_context_sha256(order.context);
  for (const std::string& word : spec.entrypoint) out->add_entrypoint(word);
  out->set_entrypoint_is_shell(spec.entrypoint_is_shell);
  for (const std::string& variable : spec.environment.cpu) out->add_environment_cpu(variable);
  for (const std::string& variable : spec.environment.cuda) out->add_environment_cuda(variable);
  for (const std::string& variable : spec.environment.rocm) out->add_environment_rocm(variable);
  out->set_checkpoint_directory(spec.checkpoint_storage.Directory());
  const storage::Place place = storage::PlaceOf(spec.checkpoint_storage);
  if (const auto* bucket = std::get_if<storage::S3>(&place)) {
    PutBucket(*bucket, order.owner, secrets, out->mutable_checkpoint_bucket());
  }
  out->set_latest_checkpoint(order.latest_checkpoint);
  out->set_steps_completed(order.steps_completed);
}

}  // namespace

absl::StatusOr<core::ConnectAgent> FromProto(const pb::Hello& hello) {
  core::ConnectAgent connect{.id = AgentId(hello.agent_id()),
                             .pool = hello.pool(),
                             .instance = hello.instance(),
                             .boot_id = hello.boot_id(),
                             .version = hello.version(),
                             .address = hello.address()};
  for (const pb::Slot& slot : hello.slots()) {
    connect.slots.push_back({slot.index(), slot.kind(), slot.name()});
  }
  for (const pb::HeldAllocation& held : hello.held()) {
    DET_ASSIGN_OR_RETURN(const core::AllocationState state, State(held.state()));
    connect.held.push_back({AllocationId(held.id()), state});
  }
  return connect;
}

absl::StatusOr<core::ReportStatus> FromProto(const AgentId& agent, const pb::Status& status) {
  core::ReportStatus report{.agent = agent, .allocation = AllocationId(status.allocation())};
  DET_ASSIGN_OR_RETURN(report.state, State(status.state()));
  if (report.state == core::AllocationState::kTerminated) {
    DET_ASSIGN_OR_RETURN(report.exit, FromProto(status.exit()));
  }
  return report;
}

absl::StatusOr<ingest::Shipment> FromProto(const AgentId& agent, pb::ShipRequest request) {
  ingest::Shipment shipment{.agent = agent,
                            .allocation = AllocationId(request.allocation()),
                            .trial = TrialId(request.trial()),
                            .rank = request.rank(),
                            .stream = request.stream(),
                            .wire_bytes = static_cast<int64_t>(request.ByteSizeLong())};
  if (request.stream() < 0 || request.stream() >= ingest::kStreams)
    return Bad("a stream that is not known");
  for (const pb::Report& r : request.reports()) {
    ingest::Report report{.id = {shipment.allocation, shipment.stream, r.seq()},
                          .trial = shipment.trial,
                          .rank = shipment.rank,
                          .at = absl::FromUnixNanos(r.at_unix_nanos())};
    absl::StatusOr<ReportBody> body = BodyOf(r);
    report.body =
        body.ok() ? *std::move(body) : ingest::Unreadable{std::string(body.status().message())};
    shipment.reports.push_back(std::move(report));
  }
  for (pb::LogRecord& l : *request.mutable_logs()) {
    if (static_cast<int64_t>(l.text().size()) > ingest::kLogTextBytesMax) {
      l.mutable_text()->resize(static_cast<size_t>(ingest::kLogTextBytesMax));
      l.mutable_text()->append(" [cut]");
    }
    shipment.logs.push_back({.seq = l.seq(),
                             .at = absl::FromUnixNanos(l.at_unix_nanos()),
                             .source = static_cast<ingest::LogSource>(l.source()),
                             .text = std::move(*l.mutable_text()),
                             .partial = l.partial(),
                             .dropped = l.dropped()});
  }
  return shipment;
}

pb::DesiredSet ToProto(const core::DesiredSet& desired,
                       int64_t epoch,
                       const config::SecretStore& secrets) {
  pb::DesiredSet out;
  out.set_epoch(epoch);
  out.set_generation(desired.generation);
  for (const core::DesiredAllocation& wanted : desired.allocations) {
    pb::DesiredAllocation* a = out.add_allocations();
    a->set_id(wanted.id.value());
    a->set_run(wanted.run);
    for (const int slot : wanted.slots) a->add_slots(slot);
    a->set_level(static_cast<pb::StopLevel>(static_cast<int>(wanted.level) + 1));
    a->set_reason(wanted.reason);
    if (wanted.order.has_value()) PutOrder(*wanted.order, secrets, a->mutable_order());
  }
  return out;
}

}  // namespace det::rpc
