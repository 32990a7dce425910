#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "common/base/problem.h"
#include "common/config/render.h"
#include "common/config/yaml.h"

namespace det {

// What is wrong with a configuration, and how to say where. Refers to what it is given.
class ProblemReport {
 public:
  // Where the value at a path was written.
  struct Place {
    std::string name;                        // of the document, or what is said instead of a place
    const YamlDocument* document = nullptr;  // nullptr: something without lines
    std::string path;                        // within the document, and as messages name it
  };
  using Locate = std::function<Place(std::string_view path)>;

  // Without `locate` all is in the one document.
  ProblemReport(std::string_view name, const YamlDocument& document, Locate locate = nullptr)
      : name_(name), document_(document), locate_(std::move(locate)) {}

  void Add(TextProblem problem) { Add(name_, &document_, std::move(problem)); }
  void Add(std::string_view name, const YamlDocument* document, TextProblem problem) {
    items_.push_back({std::string(name), document, std::move(problem)});
  }
  void Add(const Problem& problem);

  // OK when there are no errors; else INVALID_ARGUMENT (INVALID_CONFIG) whose message is the
  // rendered problems, those of the first document first and in its order, each once, at most 20
  // and about 6 KB, then how many there are besides.
  absl::Status Errors() const;
  std::vector<std::string> Warnings() const { return Render(true); }

 private:
  struct Item {
    std::string name;
    const YamlDocument* document;
    TextProblem problem;
  };

  std::vector<std::string> Render(bool warnings) const;

  const std::string name_;
  const YamlDocument& document_;
  const Locate locate_;
  std::vector<Item> items_;
};

}  // namespace det
