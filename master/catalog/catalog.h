#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "common/base/ids.h"
#include "common/base/mutex.h"
#include "common/base/secret.h"
#include "master/catalog/directory.h"
#include "master/core/authorize.h"

namespace det::pg {
class Pool;
}
namespace pqxx {
class dbtransaction;
}

namespace det::catalog {

inline constexpr int64_t kUsersMax = 100'000;
inline constexpr int64_t kTokensMax = 100;  // of one user, that are good
inline constexpr int64_t kWorkspacesMax = 10'000;
inline constexpr int64_t kProjectsMax = 100'000;
inline constexpr int64_t kTemplatesMax = 10'000;
inline constexpr size_t kTemplateBytesMax = 256 << 10;
inline constexpr absl::Duration kTokenLife = absl::Hours(24 * 30);  // when nobody says

// Whose token is in a file of the master.
inline constexpr char kAdminHandle[] = "admin";
// All users together, where a role is given.
inline constexpr char kEverybody[] = "everybody";

// A page of a list: those with an id above `after`, in the order of their ids.
struct Page {
  int64_t limit = 100;
  int64_t after = 0;
  bool archived = false;  // these too
};

struct UserRow {
  int64_t id = 0;
  std::string handle;
  std::string name;
  std::string display_name;
  bool active = true;
  bool administrator = false;
  absl::Time created_at;
};
struct NewUser {
  std::string name;
  std::string display_name;
  bool administrator = false;
};
// What is set is changed.
struct UserChange {
  std::optional<std::string> name = {};
  std::optional<std::string> display_name = {};
  std::optional<bool> active = {};
  std::optional<bool> administrator = {};
};

struct TokenRow {
  int64_t id = 0;
  std::string user;  // the name
  std::string name;
  absl::Time created_at;
  std::optional<absl::Time> expires_at;  // nothing: never
  std::optional<absl::Time> last_used_at;
};
struct NewToken {
  std::string user = {};  // "": whoever asks
  std::string name;
  absl::Duration life = kTokenLife;  // infinite: for ever
};

struct WorkspaceRow {
  WorkspaceId id;
  std::string name;
  bool archived = false;
  std::string owner;  // the name
  absl::Time created_at;
  int64_t projects = 0;
  int64_t experiments = 0;
};
// Of workspaces and projects: what is set is changed.
struct PlaceChange {
  std::optional<std::string> name = {};
  std::optional<bool> archived = {};
  std::optional<std::string> description = {};  // of a project
};

struct RoleRow {
  std::string user;       // the name, or kEverybody
  std::string workspace;  // the name; "": all of them
  core::Access role = core::Access::kNone;
  absl::Time granted_at;
};

struct ProjectRow {
  ProjectId id;
  std::string workspace;  // the name
  std::string name;
  std::string description;
  bool archived = false;
  std::string owner;  // the name
  absl::Time created_at;
  int64_t experiments = 0;
};
// A project by its names. Both "": the first of the first workspace.
struct ProjectName {
  std::string workspace;
  std::string project;
};

struct TemplateRow {
  int64_t id = 0;
  std::string name;
  std::string workspace;  // the name
  std::string config;     // as written; "" in lists
  std::string owner;      // the name
  absl::Time created_at;
  absl::Time changed_at;
};

// Where a new experiment goes. While `hold` lives the project stays.
struct Placement {
  WorkspaceId workspace = kFirstWorkspace;
  ProjectId project = kFirstProject;
  ProjectName names = {};
  std::shared_ptr<void> hold = nullptr;
};

// One edit of an experiment.
struct SetArchived {
  bool archived = true;
};
struct SetName {
  std::string name;
};
struct SetDescription {
  std::string description;
};
struct SetNotes {
  std::string notes;
};
struct ChangeLabels {
  std::vector<std::string> add;
  std::vector<std::string> remove;
};
struct MoveTo {
  ProjectName to;
};
using ExperimentEdit =
    std::variant<SetArchived, SetName, SetDescription, SetNotes, ChangeLabels, MoveTo>;

// People, and where things belong. Each change is one transaction with a line in the table `audit`;
// changes of who may do what queue for one row, and are in the directory when the call returns.
// Whether the caller may is asked first, of core::Authorize. For threads that may block; any.
//
// Errors beside the store's and FORBIDDEN: X_NOT_FOUND with the nearest name, NAME_TAKEN,
// INVALID_NAME, INVALID_TEXT, TOO_MANY, NOT_EMPTY, ARCHIVED, and what each call says.
class Catalog {
 public:
  // Quotas of the configuration go by these names, in whatever case: they are not changed.
  void Pin(const std::map<std::string, int64_t>& workspaces);

  // `directory` outlives it.
  Catalog(const std::string& conninfo, int64_t epoch, Directory& directory);
  ~Catalog();

  // Reads the people again when somebody changed them, and notes which tokens were used.
  absl::Status Refresh();
  // Makes the row of a user that a file names, unless it is there.
  absl::Status EnsureUser(const std::string& name, bool administrator);

  absl::StatusOr<std::vector<UserRow>> Users(const core::Principal& by, const Page& page);
  absl::StatusOr<UserRow> CreateUser(const core::Principal& by, const NewUser& user);
  // Anybody may change their own display name. FAILED_PRECONDITION (BUILT_IN_USER): "admin" stays
  // active and administrator.
  absl::StatusOr<UserRow> ChangeUser(const core::Principal& by,
                                     const std::string& name,
                                     const UserChange& change);

  struct Made {
    TokenRow row;
    Secret token;  // told this once
  };
  absl::StatusOr<Made> CreateToken(const core::Principal& by, const NewToken& token);
  // Those of the user; of all when `user` is "*", for administrators.
  absl::StatusOr<std::vector<TokenRow>> Tokens(const core::Principal& by,
                                               const std::string& user,
                                               const Page& page);
  absl::Status RevokeToken(const core::Principal& by, int64_t id);

  absl::StatusOr<std::vector<WorkspaceRow>> Workspaces(const core::Principal& by, const Page& page);
  absl::StatusOr<WorkspaceRow> Workspace(const core::Principal& by, const std::string& name);
  // Who makes one is its administrator.
  absl::StatusOr<WorkspaceRow> CreateWorkspace(const core::Principal& by, const std::string& name);
  absl::StatusOr<WorkspaceRow> ChangeWorkspace(const core::Principal& by,
                                               const std::string& name,
                                               const PlaceChange& change);
  absl::Status DeleteWorkspace(const core::Principal& by, const std::string& name);

  // Of one workspace with those that hold in all of them; "" is only these.
  absl::StatusOr<std::vector<RoleRow>> Roles(const core::Principal& by,
                                             const std::string& workspace);
  // kNone takes it away. `workspace` "" is all of them.
  absl::Status SetRole(const core::Principal& by,
                       const std::string& workspace,
                       const std::string& user,
                       core::Access role);

  absl::StatusOr<std::vector<ProjectRow>> Projects(const core::Principal& by,
                                                   const std::string& workspace,
                                                   const Page& page);
  absl::StatusOr<ProjectRow> Project(const core::Principal& by, const ProjectName& name);
  absl::StatusOr<ProjectRow> CreateProject(const core::Principal& by,
                                           const ProjectName& name,
                                           const std::string& description);
  absl::StatusOr<ProjectRow> ChangeProject(const core::Principal& by,
                                           const ProjectName& name,
                                           const PlaceChange& change);
  // With its experiments. FAILED_PRECONDITION (EXPERIMENTS_LIVE).
  absl::StatusOr<ProjectRow> MoveProject(const core::Principal& by,
                                         const ProjectName& name,
                                         const std::string& workspace);
  absl::Status DeleteProject(const core::Principal& by, const ProjectName& name);

  // Where somebody's new experiment goes: INVALID_ARGUMENT (BOTH_OR_NEITHER) for half a name.
  absl::StatusOr<Placement> Place(const core::Principal& by, const ProjectName& name);

  absl::StatusOr<std::vector<TemplateRow>> Templates(const core::Principal& by, const Page& page);
  absl::StatusOr<TemplateRow> Template(const core::Principal& by, const std::string& name);
  struct NewTemplate {
    std::string name;
    std::string workspace;  // "": the first, and the one where it is for one that is there
    std::string config;     // checked by the caller
    bool must_be_new = false;
  };
  absl::StatusOr<TemplateRow> SetTemplate(const core::Principal& by, const NewTemplate& made);
  absl::StatusOr<TemplateRow> RenameTemplate(const core::Principal& by,
                                             const std::string& name,
                                             const std::string& to);
  absl::Status DeleteTemplate(const core::Principal& by, const std::string& name);

  // FAILED_PRECONDITION (EXPERIMENT_LIVE): it has not ended, and is to be archived or to leave its
  // workspace; (EXPERIMENT_ARCHIVED): it is to be moved. An edit that changes nothing succeeds.
  absl::Status EditExperiment(const core::Principal& by,
                              ExperimentId id,
                              const ExperimentEdit& edit);

  // Of an experiment, for core::Authorize: who owns it, and where it is. NOT_FOUND.
  absl::StatusOr<core::Object> ObjectOf(const core::Principal& by, ExperimentId id);
  absl::StatusOr<core::Object> ObjectOf(const core::Principal& by, TrialId id);
  absl::StatusOr<core::Object> ObjectOf(const core::Principal& by, AllocationId id);

  const Directory& directory() const { return directory_; }

 private:
  class Holds;

  using Changes = std::function<absl::Status(pqxx::dbtransaction&)>;
  // One transaction; what the function refuses is rolled back. With `people`, these are read again.
  absl::Status Write(bool people, const Changes& change);
  absl::Status Read(const Changes& read);
  absl::Status Load(pqxx::dbtransaction& tx);
  struct ObjectQuery {
    std::string_view what;
    std::string_view reason;
    std::string_view sql;
  };
  absl::StatusOr<core::Object> ObjectBy(const core::Principal& by,
                                        const ObjectQuery& query,
                                        int64_t id);

  std::set<std::string> pinned_;  // workspaces, folded
  const int64_t epoch_;
  Directory& directory_;
  std::unique_ptr<pg::Pool> readers_;
  std::unique_ptr<pg::Pool> writers_;
  std::unique_ptr<Holds> holds_;
};

}  // namespace det::catalog
