#include "common/base/flags.h"

#include <algorithm>

#include "common/base/nearest.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det {
namespace {

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

absl::Status Bad(const std::string& what, std::string_view hint = "") {
  return Error(absl::StatusCode::kInvalidArgument, "USAGE", what, hint);
}

}  // namespace

std::string FlagUsage(const std::string& head,
                      const std::vector<FlagHelp>& flags,
                      const std::string& tail) {
  size_t width = 0;
  for (const FlagHelp& flag : flags) width = std::max(width, flag.flag.size());
  std::string text = StrCat(head, "\n\nFlags:\n");
  for (const FlagHelp& flag : flags) {
    const std::string gap(width - flag.flag.size() + 2, ' ');
    StrAppend(text, "  --", flag.flag, gap, flag.what, "\n");
  }
  return StrCat(text, "\n", tail);
}

absl::StatusOr<Flags> ParseFlags(int argc,
                                 char** argv,
                                 const std::vector<std::string>& valued,
                                 const std::vector<std::string>& switches) {
  Flags flags;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (!argument.starts_with("--")) return Bad(StrCat("unexpected argument ", argument));
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
    if (Contains(switches, name) && equals == std::string::npos) {
      flags.values[name] = "true";
    } else if (!Contains(valued, name)) {
      std::vector<std::string> known = valued;
      known.insert(known.end(), switches.begin(), switches.end());
      const std::string nearest = Nearest(name, known);
      return Bad(StrCat("unknown flag --", name),
                 nearest.empty() ? "" : StrCat("did you mean --", nearest, "?"));
    } else if (equals != std::string::npos) {
      flags.values[name] = argument.substr(equals + 1);
    } else if (i + 1 < argc) {
      flags.values[name] = argv[++i];
    } else {
      return Bad(StrCat("the flag --", name, " needs a value"));
    }
  }
  return flags;
}

}  // namespace det
