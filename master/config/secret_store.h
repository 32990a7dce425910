#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"

#include "common/base/secret.h"

namespace det::config {

// Keeps what configurations only refer to. Any thread.
class SecretStore {
 public:
  virtual ~SecretStore() = default;

  // A secret of one user, under a name that nobody has. Durable when it returns.
  virtual absl::Status Keep(const std::string& name,
                            const std::string& owner,
                            const Secret& secret) = 0;
  // For a configuration of `user`. NotFound (SECRET_NOT_FOUND) for another user's secret too.
  virtual absl::StatusOr<Secret> Get(const std::string& name, const std::string& user) const = 0;
};

// In a folder that only the master may read. An administrator puts a secret for everybody there as
// a file FOLDER/NAME that holds it and nothing else (a newline at its end does not count); those of
// users are FOLDER/users/NAME, mode 0600.
class FolderSecretStore final : public SecretStore {
 public:
  // `shared` are for everybody too: those of the master's own file.
  explicit FolderSecretStore(std::string folder, std::map<std::string, Secret> shared = {})
      : folder_(std::move(folder)), shared_(std::move(shared)) {}

  absl::Status Keep(const std::string& name,
                    const std::string& owner,
                    const Secret& secret) override;
  absl::StatusOr<Secret> Get(const std::string& name, const std::string& user) const override;

 private:
  std::string UserFile(const std::string& name) const;

  const std::string folder_;
  const std::map<std::string, Secret> shared_;
};

}  // namespace det::config
