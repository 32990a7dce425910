#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace det {

// What a request line asks for: "/v1/preemption?timeout_seconds=5", decoded.
struct HttpTarget {
  std::string path;                                       // begins with "/"
  std::map<std::string, std::string, std::less<>> query;  // of equal names the last one counts
};

// Reads the origin form ("/a?b=c") and the absolute form ("http://host/a?b=c"). nullopt: a broken
// percent escape, a NUL or another control character, or neither form. In the query "+" is a space.
std::optional<HttpTarget> ParseHttpTarget(std::string_view target);

}  // namespace det
