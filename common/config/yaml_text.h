#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/yaml_tree.h"

namespace det {

// The first thing that makes a text no text, or too much of it: its size, invalid UTF-8, a control
// character, too many characters that may be structure.
std::optional<YamlMistake> CheckYamlText(std::string_view text, const YamlLimits& limits);

// JSON writes a character beyond U+FFFF as two escapes, "\ud83d\ude00", which YAML does not know.
// Gives the text with each such pair within double quotes as one escape of YAML's,
// "\U0001f600", and in *cuts the offsets (in the new text) after which two bytes are gone. The same
// text when it does not begin as JSON does: then a quote may mean something else.
std::string JoinSurrogates(std::string_view text, std::vector<int32_t>* cuts);

}  // namespace det
