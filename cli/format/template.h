#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "cli/format/document.h"

namespace det::cli {

// The part of a document at a dotted path: "reason.text", "slots.0.kind"; null where there is none.
const Document* PartOf(const Document& document, std::string_view path);

// As text: strings as they are, everything else as JSON on one line; nothing for null.
std::string PlainText(const Document& document);

// Fills "{id} is {state}\t{reason.text}" for each item of a list, or for a document that is none,
// a line each, whether or not the text ends with one. "{{" is a brace; \n, \t and \\ are
// understood. Errors: INVALID_ARGUMENT (reason USAGE) for a brace that is not closed, and for a
// field that no item has.
absl::StatusOr<std::string> FillTemplate(std::string_view text, const Document& document);

}  // namespace det::cli
