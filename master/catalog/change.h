#pragma once

#include <string>

#include <pqxx/pqxx>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"
#include "master/catalog/catalog.h"
#include "master/catalog/names.h"

// Shared by the files of this folder.
namespace det::catalog::internal {

using Tx = pqxx::dbtransaction;

struct AuditLine {
  std::string verb;    // "workspace.rename"
  std::string object;  // "workspace 3"
  std::string before = {};
  std::string after = {};
};
void Audit(Tx& tx, const core::Principal& by, const AuditLine& line);

// Times travel as microseconds since 1970.
std::string Micros(std::string_view column);
absl::Time ToTime(const pqxx::field& field);
std::optional<absl::Time> ToMaybeTime(const pqxx::field& field);

// A user's name by the handle in `column`; the handle itself for one that has no row.
std::string NameOfHandle(std::string_view column);

absl::Status NameTaken(std::string_view what, std::string_view name);
// RESOURCE_EXHAUSTED (TOO_MANY) when the table has `most` rows.
absl::Status CheckRoom(Tx& tx, const std::string& table, int64_t most);

struct WorkspaceRef {
  WorkspaceId id;
  std::string name;
  bool archived = false;
  std::string owner;  // a handle

  core::Object object() const {
    return {.owner = owner, .workspace = id, .what = StrCat("workspace ", QuoteJson(name))};
  }
};
// What a found row is locked against until the transaction is over.
enum class Lock : uint8_t {
  kNone,       // for reads
  kShared,     // its end, its move, its archiving
  kExclusive,  // and that something comes to it
};
// By its name; "" is the first. NOT_FOUND with the nearest name.
absl::StatusOr<WorkspaceRef> FindWorkspace(Tx& tx,
                                           const core::Principal& by,
                                           const std::string& name,
                                           Lock lock = Lock::kShared);
absl::Status CheckNotArchived(const WorkspaceRef& workspace);

struct ProjectRef {
  ProjectId id;
  std::string name;
  bool archived = false;
  std::string owner;  // a handle
  WorkspaceRef workspace;

  std::string FullName() const { return StrCat(workspace.name, "/", name); }
  core::Object object() const {
    return {.owner = owner,
            .workspace = workspace.id,
            .what = StrCat("project ", QuoteJson(FullName()))};
  }
};
// The same for a project. BOTH_OR_NEITHER for half a name. `exclusive`: for its end or its move.
absl::StatusOr<ProjectRef> FindProject(Tx& tx,
                                       const core::Principal& by,
                                       const ProjectName& name,
                                       Lock lock = Lock::kShared);

core::Access AccessNamed(const std::string& role);

// The id by a name that the user has or had. NOT_FOUND with the nearest name.
absl::StatusOr<int64_t> FindUser(Tx& tx, const std::string& name);

// Of the names in a result's first column the one most like the word; "" when none is.
std::string NearestOf(const pqxx::result& names, const std::string& word);
std::string DidYouMean(const std::string& nearest, std::string_view otherwise);

// The ids of the workspaces that the principal sees, for a parameter; nothing stands for all.
std::optional<std::string> ReadableParam(const core::Principal& by);

}  // namespace det::catalog::internal
