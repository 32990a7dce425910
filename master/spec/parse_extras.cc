#include "common/base/strings.h"
#include "master/spec/limits.h"
#include "master/spec/parse.h"
#include "master/spec/reading.h"

// What the master does not act on itself: it is checked, and kept for those who read it.
namespace det::spec {
namespace {

void ReadStrings(MapReader& reader, std::string_view key, Value* out) {
  std::vector<std::string> texts;
  reader.StringList(key, kListItemsMax, kWordBytesMax, &texts);
  if (reader.Take(key) != nullptr) (*out)[key] = ListOf(texts);
}

void ReadText(MapReader& reader, std::string_view key, Value* out) {
  std::string text;
  reader.Line(key, kWordBytesMax, &text);
  if (reader.Take(key) != nullptr) (*out)[key] = text;
}

void ReadRequiredText(MapReader& reader, std::string_view key, Value* out) {
  reader.Required(key);
  ReadText(reader, key, out);
}

void ReadPort(MapReader& reader, Value* out) {
  int64_t port = 0;
  reader.Required("port");
  reader.Int("port", 1, 65535, &port);
  (*out)["port"] = port;
}

Value ReadPachyderm(const Value& value, Problems* problems) {
  Value out;
  MapReader reader(value, "integrations.pachyderm", problems);
  for (const char* key : {"pachd", "proxy", "dataset"}) reader.Required(key);
  MapReader pachd(OrNull(reader.Take("pachd")), reader.PathOf("pachd"), problems);
  ReadRequiredText(pachd, "host", &out["pachd"]);
  ReadPort(pachd, &out["pachd"]);
  pachd.Finish();
  MapReader proxy(OrNull(reader.Take("proxy")), reader.PathOf("proxy"), problems);
  ReadRequiredText(proxy, "scheme", &out["proxy"]);
  ReadRequiredText(proxy, "host", &out["proxy"]);
  ReadPort(proxy, &out["proxy"]);
  proxy.Finish();
  MapReader dataset(OrNull(reader.Take("dataset")), reader.PathOf("dataset"), problems);
  for (const char* key : {"project", "repo", "commit", "branch"}) {
    ReadRequiredText(dataset, key, &out["dataset"]);
  }
  SecretRef token;
  dataset.Required("token");
  ReadSecretRef(dataset, "token", problems, &token);
  out["dataset"]["token"] = SecretRefToValue(token);
  dataset.Finish();
  reader.Finish();
  return out;
}

Value ReadWebhooks(const Value& value, Problems* problems) {
  Value out;
  MapReader reader(value, "integrations.webhooks", problems);
  if (const Value::Array* ids = TakeList(reader, "webhook_id", kListItemsMax)) {
    Value::Array whole;
    for (const Value& id : *ids) {
      if (!id.is_int()) {
        reader.Error("webhook_id", "must hold whole numbers");
        break;
      }
      whole.push_back(id);
    }
    out["webhook_id"] = std::move(whole);
  }
  ReadStrings(reader, "webhook_name", &out);
  bool exclude = false;
  reader.Bool("exclude", &exclude);
  out["exclude"] = exclude;
  reader.Finish();
  return out;
}

Value ReadBatch(const Value& value, const std::string& path, Problems* problems) {
  if (value.is_null()) return {};
  Value out = Value::Object();
  MapReader reader(value, path, problems);
  std::optional<int64_t> slots;
  reader.OptionalInt("slots_per_node", 1, kSlotsPerTrialMax, &slots);
  if (slots.has_value()) out["slots_per_node"] = *slots;
  if (path == "slurm") ReadText(reader, "gpu_type", &out);
  ReadStrings(reader, path == "slurm" ? "sbatch_args" : "pbsbatch_args", &out);
  reader.Finish();
  return out;
}

}  // namespace

ProfilingSpec ParseProfiling(const Value& value, Problems* problems) {
  ProfilingSpec spec;
  MapReader reader(value, "profiling", problems);
  reader.Bool("enabled", &spec.enabled);
  reader.Int("begin_on_batch", 0, kLengthMax, &spec.begin_on_batch);
  reader.OptionalInt("end_after_batch", 0, kLengthMax, &spec.end_after_batch);
  reader.Bool("sync_timings", &spec.sync_timings);
  if (spec.end_after_batch.has_value() && spec.begin_on_batch > *spec.end_after_batch) {
    reader.Broken("begin_on_batch",
                  StrCat("is ",
                         spec.begin_on_batch,
                         ", must be at most end_after_batch (",
                         *spec.end_after_batch,
                         ")"));
  }
  reader.Finish();
  return spec;
}

Value ProfilingToValue(const ProfilingSpec& spec) {
  Value out;
  out["enabled"] = spec.enabled;
  out["begin_on_batch"] = spec.begin_on_batch;
  if (spec.end_after_batch.has_value()) out["end_after_batch"] = *spec.end_after_batch;
  out["sync_timings"] = spec.sync_timings;
  return out;
}

Value ParseOptimizations(const Value& value, Problems* problems) {
  static const std::vector<std::string> precisions = {"O0", "O1", "O2", "O3"};
  Value out;
  MapReader reader(value, "optimizations", problems);
  const auto whole = [&](const char* key, int64_t min, int64_t number) {
    reader.Int(key, min, kLengthMax, &number);
    out[key] = number;
  };
  const auto flag = [&](const char* key, bool on) {
    reader.Bool(key, &on);
    out[key] = on;
  };
  whole("aggregation_frequency", 1, 1);
  flag("auto_tune_tensor_fusion", false);
  flag("average_aggregated_gradients", true);
  flag("average_training_metrics", true);
  flag("gradient_compression", false);
  ReadText(reader, "grad_updates_size_file", &out);
  size_t precision = 0;
  reader.Enum("mixed_precision", precisions, &precision);
  out["mixed_precision"] = precisions[precision];
  whole("tensor_fusion_cycle_time", 0, 1);
  whole("tensor_fusion_threshold", 0, 64);
  reader.Finish();
  return out;
}

Value ParseIntegrations(const Value& value, Problems* problems) {
  if (value.is_null()) return {};
  Value out = Value::Object();
  MapReader reader(value, "integrations", problems);
  if (const Value* pachyderm = reader.Take("pachyderm"))
    out["pachyderm"] = ReadPachyderm(*pachyderm, problems);
  if (const Value* webhooks = reader.Take("webhooks"))
    out["webhooks"] = ReadWebhooks(*webhooks, problems);
  reader.Finish();
  return out;
}

Value ParseSlurm(const Value& value, Problems* problems) {
  return ReadBatch(value, "slurm", problems);
}

Value ParsePbs(const Value& value, Problems* problems) {
  return ReadBatch(value, "pbs", problems);
}

Value ParseSecurity(const Value& value, Problems* problems) {
  if (value.is_null()) return {};
  Value out = Value::Object();
  MapReader reader(value, "security", problems);
  if (const Value* kerberos = reader.Take("kerberos")) {
    MapReader map(*kerberos, "security.kerberos", problems);
    out["kerberos"] = Value::Object();
    ReadText(map, "config_file", &out["kerberos"]);
    map.Finish();
  }
  reader.Finish();
  return out;
}

}  // namespace det::spec
