#include "master/storage/place_of.h"

#include "common/base/overload.h"

namespace det::storage {

Place PlaceOf(const spec::CheckpointStorageSpec& spec) {
  return std::visit(
      overloaded{
          [&](const spec::SharedFsSpec&) -> Place { return SharedFs{spec.Directory()}; },
          [&](const spec::DirectorySpec&) -> Place { return Directory{spec.Directory()}; },
          [](const spec::S3Spec& s3) -> Place {
            return S3{s3.bucket,
                      s3.prefix,
                      s3.endpoint_url,
                      s3.region,
                      s3.access_key_ref,
                      s3.secret_key_ref};
          },
          [](const spec::GcsSpec& gcs) -> Place { return GoogleBucket(gcs.bucket, gcs.prefix); }},
      spec.place);
}

}  // namespace det::storage
