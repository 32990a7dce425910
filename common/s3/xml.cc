#include "common/s3/xml.h"

#include <sstream>

#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>

#include "common/base/status.h"

namespace det::s3 {
namespace {

namespace pt = boost::property_tree;

XmlElement Convert(const std::string& name, const pt::ptree& tree) {
  XmlElement element{name, tree.data(), {}};
  for (const auto& [child, below] : tree) {
    if (child != "<xmlattr>" && child != "<xmlcomment>") {
      element.children.push_back(Convert(child, below));
    }
  }
  return element;
}

absl::Status BadAnswer() {
  return Error(absl::StatusCode::kInternal,
               "S3_BAD_ANSWER",
               "what the S3 server answers is no XML document",
               "is the endpoint_url that of an S3 server?");
}

}  // namespace

const XmlElement* XmlElement::Find(std::string_view child) const {
  for (const XmlElement& element : children) {
    if (element.name == child) return &element;
  }
  return nullptr;
}

std::string XmlElement::Text(std::string_view child) const {
  const XmlElement* element = Find(child);
  return element == nullptr ? "" : element->text;
}

absl::StatusOr<XmlElement> ParseXml(const std::string& text) {
  pt::ptree tree;
  try {
    std::istringstream in(text);
    pt::read_xml(in, tree);
  } catch (const pt::xml_parser_error&) {
    return BadAnswer();
  }
  for (const auto& [name, below] : tree) {
    if (name != "<xmlcomment>") return Convert(name, below);
  }
  return BadAnswer();
}

std::string EscapeXml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\r':
        out += "&#13;";  // else it would be read as a line feed
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

}  // namespace det::s3
