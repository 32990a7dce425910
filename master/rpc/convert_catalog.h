#pragma once

#include "det/api/v1/catalog.pb.h"

#include "master/catalog/catalog.h"

// Rows of the catalogue as the API shows them.
namespace det::rpc {

api::v1::User ToProto(const catalog::UserRow& row);
api::v1::Token ToProto(const catalog::TokenRow& row);
api::v1::Workspace ToProto(const catalog::WorkspaceRow& row);
api::v1::RoleGrant ToProto(const catalog::RoleRow& row);
api::v1::Project ToProto(const catalog::ProjectRow& row);
api::v1::Template ToProto(const catalog::TemplateRow& row);

}  // namespace det::rpc
