#include "master/rpc/convert_catalog.h"

namespace det::rpc {
namespace {

int64_t Nanos(const std::optional<absl::Time>& time) {
  return time.has_value() ? absl::ToUnixNanos(*time) : 0;
}

}  // namespace

api::v1::User ToProto(const catalog::UserRow& row) {
  api::v1::User out;
  out.set_id(row.id);
  out.set_name(row.name);
  out.set_display_name(row.display_name);
  out.set_active(row.active);
  out.set_administrator(row.administrator);
  out.set_created_unix_nanos(Nanos(row.created_at));
  return out;
}

api::v1::Token ToProto(const catalog::TokenRow& row) {
  api::v1::Token out;
  out.set_id(row.id);
  out.set_user(row.user);
  out.set_name(row.name);
  out.set_created_unix_nanos(Nanos(row.created_at));
  out.set_expires_unix_nanos(Nanos(row.expires_at));
  out.set_last_used_unix_nanos(Nanos(row.last_used_at));
  return out;
}

api::v1::Workspace ToProto(const catalog::WorkspaceRow& row) {
  api::v1::Workspace out;
  out.set_id(row.id.value());
  out.set_name(row.name);
  out.set_archived(row.archived);
  out.set_owner(row.owner);
  out.set_created_unix_nanos(Nanos(row.created_at));
  out.set_projects(row.projects);
  out.set_experiments(row.experiments);
  return out;
}

api::v1::RoleGrant ToProto(const catalog::RoleRow& row) {
  api::v1::RoleGrant out;
  out.set_user(row.user);
  out.set_workspace(row.workspace);
  out.set_role(std::string(core::Name(row.role)));
  out.set_granted_unix_nanos(Nanos(row.granted_at));
  return out;
}

api::v1::Project ToProto(const catalog::ProjectRow& row) {
  api::v1::Project out;
  out.set_id(row.id.value());
  out.set_workspace(row.workspace);
  out.set_name(row.name);
  out.set_description(row.description);
  out.set_archived(row.archived);
  out.set_owner(row.owner);
  out.set_created_unix_nanos(Nanos(row.created_at));
  out.set_experiments(row.experiments);
  return out;
}

api::v1::Template ToProto(const catalog::TemplateRow& row) {
  api::v1::Template out;
  out.set_id(row.id);
  out.set_name(row.name);
  out.set_workspace(row.workspace);
  out.set_config(row.config);
  out.set_owner(row.owner);
  out.set_created_unix_nanos(Nanos(row.created_at));
  out.set_changed_unix_nanos(Nanos(row.changed_at));
  return out;
}

}  // namespace det::rpc
