#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace det::s3 {

// An element of an S3 server's answer: attributes and namespaces say nothing here.
struct XmlElement {
  std::string name;
  std::string text;
  std::vector<XmlElement> children;

  const XmlElement* Find(std::string_view child) const;
  // The text of a child; "" when it is not there.
  std::string Text(std::string_view child) const;
};

// INTERNAL (S3_BAD_ANSWER) for what is no XML document.
absl::StatusOr<XmlElement> ParseXml(const std::string& text);

// Text as it stands between tags.
std::string EscapeXml(std::string_view text);

}  // namespace det::s3
