#include "cli/app/live_region.h"

#include "common/base/strings.h"

namespace det::cli {

void LiveRegion::Draw(const std::vector<std::string>& lines) {
  std::string bytes;
  // Line by line over the old ones: erasing all at once would show as a flash.
  if (drawn_ > 0) bytes = StrCat("\r\x1b[", drawn_, "A");
  for (const std::string& line : lines) StrAppend(bytes, line, "\x1b[K\n");
  bytes.append("\x1b[J");
  drawn_ = lines.size();
  write_(bytes);
}

void LiveRegion::Clear() {
  if (drawn_ == 0) return;
  write_(StrCat("\r\x1b[", drawn_, "A\x1b[J"));
  drawn_ = 0;
}

}  // namespace det::cli
