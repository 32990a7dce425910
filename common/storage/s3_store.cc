#include "common/storage/s3_store.h"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"
#include "common/storage/parallel.h"
#include "common/storage/tree.h"

namespace det::storage {
namespace {

// Each costs a round trip: several at a time.
constexpr int kThreads = 8;

class S3Store : public CheckpointStore {
 public:
  S3Store(std::unique_ptr<s3::Client> client, S3 place)
      : client_(std::move(client)), place_(std::move(place)) {}

  absl::StatusOr<FileMap> List(const std::string& uuid) const override {
    DET_RETURN_IF_ERROR(CheckUuid(uuid));
    DET_ASSIGN_OR_RETURN(const std::vector<s3::Object> objects, Objects(uuid));
    const std::string base = Base(uuid);
    FileMap files;
    bool complete = false;
    for (const s3::Object& object : objects) {
      const std::string path = object.key.substr(base.size());
      complete = complete || path == kCompletionMarker;
      // Consoles make "folders" of empty objects.
      if (path == kCompletionMarker || path.empty() || path.ends_with('/')) continue;
      DET_RETURN_IF_ERROR(CheckPath(path));
      files[path] = object.bytes;
    }
    if (complete) return files;
    return Error(absl::StatusCode::kNotFound,
                 "CHECKPOINT_NOT_THERE",
                 StrCat("there is no checkpoint ",
                        uuid,
                        " in s3://",
                        place_.bucket,
                        "/",
                        place_.prefix,
                        objects.empty() ? "" : ": it was never completed"));
  }

  absl::Status Read(const std::string& uuid,
                    const std::string& path,
                    const std::string& destination,
                    const Progress& progress) const override {
    DET_RETURN_IF_ERROR(CheckUuid(uuid));
    DET_RETURN_IF_ERROR(CheckPath(path));
    const std::string draft = StrCat(destination, ".part");
    DET_ASSIGN_OR_RETURN(const UniqueFd fd,
                         OpenFile(draft, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0666));
    const absl::Status status =
        client_->GetToFile(StrCat(Base(uuid), path), fd.get(), progress).status();
    if (status.ok() && ::rename(draft.c_str(), destination.c_str()) == 0) return absl::OkStatus();
    const int error = errno;
    ::unlink(draft.c_str());
    return status.ok() ? OsError(error, "create", destination) : status;
  }

  absl::StatusOr<FileMap> Add(const std::string& uuid,
                              const std::string& folder,
                              const Progress& progress) const override {
    DET_RETURN_IF_ERROR(CheckUuid(uuid));
    DET_ASSIGN_OR_RETURN(Upload upload, OpenUpload(folder));
    std::vector<std::string> paths;
    for (const auto& [path, bytes] : upload.files) paths.push_back(path);
    DET_RETURN_IF_ERROR(CheckNew(uuid));
    DET_RETURN_IF_ERROR(ParallelFor(paths.size(), kThreads, [&](size_t i) {
      const std::string& path = paths[i];
      absl::Status status = client_->PutFile(StrCat(Base(uuid), path), StrCat(folder, "/", path));
      if (status.ok() && progress != nullptr) progress(upload.files.at(path));
      return status;
    }));
    return std::move(upload.files);
  }

  absl::Status Complete(const std::string& uuid, const FileMap& files) const override {
    DET_RETURN_IF_ERROR(CheckUuid(uuid));
    DET_RETURN_IF_ERROR(CheckNew(uuid));
    DET_ASSIGN_OR_RETURN(const std::vector<s3::Object> objects, Objects(uuid));
    FileMap there;
    Value list = Value::Object();
    for (const s3::Object& object : objects) {
      there[object.key.substr(Base(uuid).size())] = object.bytes;
    }
    for (const auto& [path, bytes] : files) {
      const auto found = there.find(path);
      if (found == there.end() || found->second != bytes) {
        return Error(absl::StatusCode::kDataLoss,
                     "CHECKPOINT_DAMAGED",
                     StrCat(CheckpointUrl(place_, uuid),
                            " does not hold what was written: ",
                            path,
                            found == there.end() ? " is missing" : " has another size"));
      }
      list[path] = bytes;
    }
    Value marker;
    marker["files"] = std::move(list);
    return client_->Put(StrCat(Base(uuid), kCompletionMarker), marker.ToJson());
  }

  absl::Status Abandon(const std::string& uuid) const override {
    DET_RETURN_IF_ERROR(CheckUuid(uuid));
    return DeleteObjects(uuid);
  }

  absl::Status Delete(const std::string& uuid) const override {
    DET_RETURN_IF_ERROR(CheckUuid(uuid));
    DET_RETURN_IF_ERROR(client_->Delete(StrCat(Base(uuid), kCompletionMarker)));
    return DeleteObjects(uuid);
  }

  absl::Status DeleteFiles(const std::string& uuid,
                           const std::vector<std::string>& paths) const override {
    DET_RETURN_IF_ERROR(CheckUuid(uuid));
    std::vector<std::string> keys;
    for (const std::string& path : paths) {
      DET_RETURN_IF_ERROR(CheckPath(path));
      keys.push_back(StrCat(Base(uuid), path));
    }
    return DeleteKeys(keys);
  }

 private:
  std::string Base(const std::string& uuid) const {
    return StrCat(place_.prefix, place_.prefix.empty() ? "" : "/", uuid, "/");
  }

  absl::Status CheckNew(const std::string& uuid) const {
    const absl::Status status = client_->Head(StrCat(Base(uuid), kCompletionMarker)).status();
    if (absl::IsNotFound(status)) return absl::OkStatus();
    DET_RETURN_IF_ERROR(status);
    return Error(absl::StatusCode::kAlreadyExists,
                 "CHECKPOINT_EXISTS",
                 StrCat("there is a checkpoint ", CheckpointUrl(place_, uuid), " already"));
  }

  absl::StatusOr<std::vector<s3::Object>> Objects(const std::string& uuid) const {
    std::vector<s3::Object> objects;
    s3::ListQuery query{.prefix = Base(uuid)};
    do {
      DET_ASSIGN_OR_RETURN(s3::Listing page, client_->List(query));
      objects.insert(objects.end(), page.objects.begin(), page.objects.end());
      query.continuation = page.next;
    } while (!query.continuation.empty());
    return objects;
  }

  absl::Status DeleteObjects(const std::string& uuid) const {
    DET_ASSIGN_OR_RETURN(const std::vector<s3::Object> objects, Objects(uuid));
    std::vector<std::string> keys;
    for (const s3::Object& object : objects) keys.push_back(object.key);
    return DeleteKeys(keys);
  }

  absl::Status DeleteKeys(const std::vector<std::string>& keys) const {
    DET_ASSIGN_OR_RETURN(const std::vector<s3::KeyError> failed, client_->DeleteObjects(keys));
    if (failed.empty()) return absl::OkStatus();
    const s3::KeyError& first = failed.front();
    return Error(absl::StatusCode::kPermissionDenied,
                 "S3_DENIED",
                 StrCat(failed.size(),
                        " objects could not be deleted, s3://",
                        place_.bucket,
                        "/",
                        first.key,
                        " for one: ",
                        first.code,
                        " ",
                        first.message));
  }

  const std::unique_ptr<s3::Client> client_;
  const S3 place_;
};

}  // namespace

s3::ClientOptions ClientOptionsOf(const S3& place, const StoreOptions& options) {
  const auto environment = options.environment;
  s3::ClientOptions out{.bucket = place.bucket, .endpoint_url = place.endpoint_url};
  out.region = place.region;
  for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
    if (out.region.empty()) out.region = environment(name).value_or("");
  }
  if (out.region.empty()) out.region = "us-east-1";
  const s3::CredentialsSource source{.access_key_ref = place.access_key_ref,
                                     .secret_key_ref = place.secret_key_ref,
                                     .secrets = options.secrets};
  out.credentials = [=] { return s3::FindCredentials(source, environment); };
  out.clock = options.clock;
  out.http.ca_file = environment("AWS_CA_BUNDLE").value_or("");
  out.http.cancel = options.cancel;
  out.patience = options.patience;
  out.part_bytes = options.part_bytes;
  return out;
}

absl::StatusOr<std::unique_ptr<CheckpointStore>> MakeS3Store(const S3& place,
                                                             const StoreOptions& options) {
  DET_ASSIGN_OR_RETURN(std::unique_ptr<s3::Client> client,
                       s3::Client::Create(ClientOptionsOf(place, options)));
  return std::make_unique<S3Store>(std::move(client), place);
}

}  // namespace det::storage
