#include <algorithm>

#include "common/base/strings.h"
#include "master/spec/limits.h"
#include "master/spec/parse.h"
#include "master/spec/reading.h"

namespace det::spec {
namespace {

enum class Type { kSharedFs, kDirectory, kS3, kGcs };

const std::vector<std::string>& TypeNames() {
  static const std::vector<std::string> names = {"shared_fs", "directory", "s3", "gcs"};
  return names;
}

bool IsBelow(const std::string& path, const std::string& root) {
  return path.starts_with(root) &&
         (path.size() == root.size() || root.ends_with('/') || path[root.size()] == '/');
}

// One folder has one name: checkpoints of one place must be seen to be.
void Normalize(std::string* path) {
  if (path->empty()) return;
  std::string out(path->starts_with('/') ? "/" : "");
  std::string_view rest = *path;
  while (!rest.empty()) {
    const std::string_view name = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    if (name.empty() || name == ".") continue;
    if (!out.empty() && !out.ends_with('/')) out.push_back('/');
    out.append(name);
  }
  *path = std::move(out);
}

SharedFsSpec ReadSharedFs(MapReader& reader, const ParseDefaults& defaults) {
  SharedFsSpec spec;
  reader.String("host_path", kPathBytesMax, &spec.host_path);
  reader.String("storage_path", kPathBytesMax, &spec.storage_path);
  reader.String("propagation", kNameBytesMax, &spec.propagation);
  if (spec.host_path.empty()) spec.host_path = defaults.checkpoint_host_path;
  Normalize(&spec.host_path);
  if (spec.host_path.empty()) {
    reader.Required("host_path");
  } else {
    CheckAbsolute(reader, "host_path", spec.host_path);
  }
  Normalize(&spec.storage_path);
  if (spec.storage_path.starts_with('/')) {
    if (!IsBelow(spec.storage_path, spec.host_path)) {
      reader.Error("storage_path",
                   StrCat("is absolute, so it must be below host_path, ", spec.host_path));
    } else {
      spec.storage_path.erase(0, spec.host_path.size());
      spec.storage_path.erase(0, spec.storage_path.find_first_not_of('/'));
    }
  }
  if (HasDotDot(spec.storage_path)) reader.Broken("storage_path", "must not contain \"..\"");
  for (const char* key : {"container_path", "checkpoint_path", "tensorboard_path"}) {
    reader.Ignore(key);  // of older versions, without effect
  }
  return spec;
}

DirectorySpec ReadDirectory(MapReader& reader) {
  DirectorySpec spec;
  reader.Required("container_path");
  reader.String("container_path", kPathBytesMax, &spec.container_path);
  Normalize(&spec.container_path);
  if (reader.Take("container_path") != nullptr) {
    CheckAbsolute(reader, "container_path", spec.container_path);
  }
  return spec;
}

void ReadBucket(MapReader& reader, std::string* bucket, std::string* prefix) {
  reader.Required("bucket");
  reader.Line("bucket", kNameBytesMax, bucket);
  if (reader.Take("bucket") != nullptr &&
      (bucket->empty() || bucket->find('/') != std::string::npos)) {
    reader.Broken("bucket", "must be a name without \"/\"");
  }
  reader.Line("prefix", kWordBytesMax, prefix);
  prefix->erase(0, prefix->find_first_not_of('/'));
  while (prefix->ends_with('/')) prefix->pop_back();
  if (HasDotDot(*prefix)) reader.Broken("prefix", "must not contain \"..\"");
}

S3Spec ReadS3(MapReader& reader, Problems* problems) {
  S3Spec spec;
  ReadBucket(reader, &spec.bucket, &spec.prefix);
  reader.Line("endpoint_url", kWordBytesMax, &spec.endpoint_url);
  const bool is_url =
      spec.endpoint_url.starts_with("http://") || spec.endpoint_url.starts_with("https://");
  if (!spec.endpoint_url.empty() && !is_url) {
    reader.Broken("endpoint_url", "must begin with http:// or https://");
  }
  reader.Line("region", kNameBytesMax, &spec.region);
  ReadSecretRef(reader, "access_key", problems, &spec.access_key_ref);
  ReadSecretRef(reader, "secret_key", problems, &spec.secret_key_ref);
  if ((reader.Take("access_key") == nullptr) != (reader.Take("secret_key") == nullptr)) {
    reader.Broken(reader.Take("access_key") == nullptr ? "secret_key" : "access_key",
                  "needs the other of access_key and secret_key beside it");
  }
  return spec;
}

// What is said of a type that is none; it may be known to Determined.
bool IsRefused(MapReader& reader) {
  const Value* type = reader.Take("type");
  if (type == nullptr || !type->is_string()) return false;
  const std::string& name = type->as_string();
  if (name != "azure" && name != "hdfs") return false;
  reader.Error("type",
               name == "azure" ? "the storage \"azure\" is not supported yet"
                               : "the storage \"hdfs\" is no longer supported",
               "use shared_fs, directory, s3 or gcs");
  return true;
}

void ReadPlace(MapReader& reader,
               const ParseDefaults& defaults,
               CheckpointPlaceSpec* place,
               Problems* problems) {
  Type type = Type::kSharedFs;
  const size_t before = problems->size();
  reader.Enum("type", TypeNames(), &type);
  if (problems->size() != before) return;  // its keys can't be judged
  switch (type) {
    case Type::kSharedFs:
      *place = ReadSharedFs(reader, defaults);
      break;
    case Type::kDirectory:
      *place = ReadDirectory(reader);
      break;
    case Type::kS3:
      *place = ReadS3(reader, problems);
      break;
    case Type::kGcs: {
      GcsSpec gcs;
      ReadBucket(reader, &gcs.bucket, &gcs.prefix);
      *place = gcs;
      break;
    }
  }
  reader.Finish();
}

void PutBucket(Value& out, const std::string& bucket, const std::string& prefix) {
  out["bucket"] = bucket;
  if (!prefix.empty()) out["prefix"] = prefix;
}

void PutPlace(Value& out, const CheckpointPlaceSpec& place) {
  out["type"] = TypeNames()[place.index()];
  if (const auto* shared = std::get_if<SharedFsSpec>(&place)) {
    out["host_path"] = shared->host_path;
    if (!shared->storage_path.empty()) out["storage_path"] = shared->storage_path;
    out["propagation"] = shared->propagation;
  } else if (const auto* directory = std::get_if<DirectorySpec>(&place)) {
    out["container_path"] = directory->container_path;
  } else if (const auto* s3 = std::get_if<S3Spec>(&place)) {
    PutBucket(out, s3->bucket, s3->prefix);
    if (!s3->endpoint_url.empty()) out["endpoint_url"] = s3->endpoint_url;
    if (!s3->region.empty()) out["region"] = s3->region;
    if (!s3->access_key_ref.empty()) out["access_key"] = SecretRefToValue(s3->access_key_ref);
    if (!s3->secret_key_ref.empty()) out["secret_key"] = SecretRefToValue(s3->secret_key_ref);
  } else if (const auto* gcs = std::get_if<GcsSpec>(&place)) {
    PutBucket(out, gcs->bucket, gcs->prefix);
  }
}

}  // namespace

std::string CheckpointStorageSpec::Directory() const {
  if (const auto* directory = std::get_if<DirectorySpec>(&place)) return directory->container_path;
  const auto* shared = std::get_if<SharedFsSpec>(&place);
  if (shared == nullptr) return "";
  return shared->storage_path.empty() ? shared->host_path
                                      : StrCat(shared->host_path, "/", shared->storage_path);
}

CheckpointStorageSpec ParseStorage(const Value& value,
                                   const ParseDefaults& defaults,
                                   Problems* problems) {
  CheckpointStorageSpec spec;
  MapReader reader(value, "checkpoint_storage", problems);
  reader.Int("save_experiment_best", 0, kTrialsMax, &spec.save_experiment_best);
  reader.Int("save_trial_best", 0, kTrialsMax, &spec.save_trial_best);
  reader.Int("save_trial_latest", 0, kTrialsMax, &spec.save_trial_latest);
  if (!IsRefused(reader)) ReadPlace(reader, defaults, &spec.place, problems);
  return spec;
}

Value StorageToValue(const CheckpointStorageSpec& spec) {
  Value out;
  PutPlace(out, spec.place);
  out["save_experiment_best"] = spec.save_experiment_best;
  out["save_trial_best"] = spec.save_trial_best;
  out["save_trial_latest"] = spec.save_trial_latest;
  return out;
}

}  // namespace det::spec
