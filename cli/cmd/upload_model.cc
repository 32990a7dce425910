#include "cli/cmd/upload_model.h"

#include "cli/app/context.h"
#include "cli/app/progress_line.h"
#include "cli/client/client.h"
#include "cli/format/quantity.h"
#include "cli/upload/known_trees.h"
#include "cli/upload/pack.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

constexpr size_t kMessageBytes = 1 << 20;

absl::Status Send(Context& context, Client* client, const PackedTree& packed) {
  ProgressLine progress(context, "uploading", packed.archive_bytes);
  const std::unique_ptr<Upload> upload = client->UploadContext(packed.sha256);
  std::string chunk(kMessageBytes, '\0');
  int64_t sent = 0;
  while (true) {
    progress.Show(sent);
    DET_ASSIGN_OR_RETURN(const size_t got,
                         ReadFull(packed.archive, "a temporary file", chunk.data(), chunk.size()));
    // An early end is the master's word: Finish has its reason.
    if (got == 0 || !upload->Write(std::string_view(chunk).substr(0, got))) break;
    sent += static_cast<int64_t>(got);
  }
  return upload->Finish().status();
}

// "" when there is no home to keep anything in.
std::string CacheFolder(Context& context) {
  const auto folder = [&context](std::string_view variable) {
    const std::string value = context.getenv()(variable).value_or("");
    return value.starts_with('/') ? value : "";
  };
  if (const std::string cache = folder("XDG_CACHE_HOME"); !cache.empty())
    return StrCat(cache, "/det/trees");
  const std::string home = folder("HOME");
  return home.empty() ? "" : StrCat(home, "/.cache/det/trees");
}

}  // namespace

absl::StatusOr<std::string> UploadModel(Context& context,
                                        Client* client,
                                        const std::string& directory) {
  std::string rules_text;
  DET_ASSIGN_OR_RETURN(const IgnoreRules rules, ReadRules(directory, &rules_text));
  DET_ASSIGN_OR_RETURN(const std::vector<TreeEntry> entries, WalkTree(directory, rules));
  const KnownTrees trees(CacheFolder(context));
  const std::string fingerprint = Fingerprint(entries, rules_text);
  if (const auto known = trees.Find(directory, fingerprint); known.has_value()) {
    DET_ASSIGN_OR_RETURN(const bool there, client->HasContext(known->sha256));
    if (there) {
      context.Note(StrCat(directory,
                          ": ",
                          Count(known->files, "file"),
                          ", ",
                          BytesText(known->bytes),
                          ", unchanged"));
      return known->sha256;
    }
  }
  const absl::Time packed_at = context.Now();
  DET_ASSIGN_OR_RETURN(const PackedTree packed, PackEntries(directory, entries));
  trees.Keep(
      directory, entries, fingerprint, {packed.sha256, packed.files, packed.bytes}, packed_at);
  const std::string what =
      StrCat(directory, ": ", Count(packed.files, "file"), ", ", BytesText(packed.bytes));
  DET_ASSIGN_OR_RETURN(const bool present, client->HasContext(packed.sha256));
  if (present) {
    context.Note(StrCat(what, ", known to the master already"));
    return packed.sha256;
  }
  DET_RETURN_IF_ERROR(Send(context, client, packed));
  context.Note(StrCat(what, ", uploaded"));
  return packed.sha256;
}

}  // namespace det::cli
