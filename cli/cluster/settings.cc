#include "cli/cluster/settings.h"

#include "cli/base/cause.h"
#include "common/base/hash.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"
#include "common/json/json.h"
#include "common/os/fs.h"

namespace det::cli {
namespace {

constexpr size_t kFileBytesMax = 1 << 20;
// A database's address may hold a password.
constexpr mode_t kMode = 0600;
constexpr char kHeader[] =
    "# Written by det up. Once somebody edits this file, det up leaves it as it is; remove it, "
    "and\n"
    "# it is made anew.\n";

void Take(const Value& from, std::string_view key, int64_t* to) {
  const Value* value = from.Find(key);
  if (value != nullptr && value->is_int()) *to = value->as_int();
}

void Take(const Value& from, std::string_view key, std::string* to) {
  const Value* value = from.Find(key);
  if (value != nullptr && value->is_string()) *to = value->as_string();
}

std::string HashOf(std::string_view text) {
  return StrCat(absl::Hex(StableHash(text), absl::kZeroPad16));
}

absl::Status WriteConfig(const std::string& path, const std::string& body, std::string* hash) {
  const std::string text = kHeader + body;
  DET_RETURN_IF_ERROR(AtomicWriteFile(path, text, kMode));
  *hash = HashOf(text);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Settings> ReadSettings(const Layout& layout) {
  Settings settings;
  const absl::StatusOr<std::string> text = det::ReadFile(layout.settings(), kFileBytesMax);
  if (absl::IsNotFound(text.status())) return settings;
  if (!text.ok()) return text.status();
  const absl::StatusOr<Value> value = ParseJson(*text);
  if (!value.ok()) {
    return WithCause(Error(absl::StatusCode::kFailedPrecondition,
                           "SETTINGS_UNREADABLE",
                           StrCat("cannot use ", layout.settings(), ", which det up wrote"),
                           "remove it: det up begins with its defaults then"),
                     FromAbsl(value.status().message()));
  }
  Take(*value, "grpc_port", &settings.grpc_port);
  Take(*value, "http_port", &settings.http_port);
  Take(*value, "slots", &settings.slots);
  Take(*value, "db_url", &settings.db_url);
  Take(*value, "master_hash", &settings.master_hash);
  Take(*value, "agent_hash", &settings.agent_hash);
  return settings;
}

absl::Status WriteSettings(const Layout& layout, const Settings& settings) {
  Value value;
  value["grpc_port"] = settings.grpc_port;
  value["http_port"] = settings.http_port;
  value["slots"] = settings.slots;
  value["db_url"] = settings.db_url;
  value["master_hash"] = settings.master_hash;
  value["agent_hash"] = settings.agent_hash;
  return AtomicWriteFile(layout.settings(), StrCat(value.ToJson(), "\n"), kMode);
}

absl::StatusOr<bool> IsEdited(const std::string& path, const std::string& hash) {
  const absl::StatusOr<std::string> text = det::ReadFile(path, kFileBytesMax);
  if (absl::IsNotFound(text.status())) return false;
  if (!text.ok()) return text.status();
  return HashOf(*text) != hash;
}

absl::Status WriteMasterConfig(const Layout& layout, Settings* settings) {
  std::string body = StrCat("data_dir: ",
                            QuoteJson(layout.master_data()),
                            "\nlisten:\n  host: 127.0.0.1\n  grpc_port: ",
                            settings->grpc_port,
                            "\n  http_port: ",
                            settings->http_port,
                            "\n");
  if (!settings->db_url.empty()) {
    StrAppend(body, "db:\n  url: ", QuoteJson(settings->db_url), "\n");
  }
  return WriteConfig(layout.master_config(), body, &settings->master_hash);
}

absl::Status WriteAgentConfig(const Layout& layout,
                              const std::string& master_address,
                              Settings* settings) {
  const std::string body = StrCat("data_dir: ",
                                  QuoteJson(layout.agent_data()),
                                  "\nmaster: ",
                                  QuoteJson(master_address),
                                  "\njoin_token_file: ",
                                  QuoteJson(layout.token("agent")),
                                  "\nslots: ",
                                  settings->slots,
                                  settings->slots == 0 ? "  # one for each core\n" : "\n");
  return WriteConfig(layout.agent_config(), body, &settings->agent_hash);
}

}  // namespace det::cli
