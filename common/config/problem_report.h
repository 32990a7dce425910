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
  // Names where the value at a path comes from when that is not the file: an override. ""
  // otherwise.
  using SourceOf = std::function<std::string(std::string_view path)>;

  ProblemReport(std::string_view name, const YamlDocument& document, SourceOf source_of = nullptr)
      : name_(name), document_(document), source_of_(std::move(source_of)) {}

  void Add(TextProblem problem) { items_.push_back({.problem = std::move(problem)}); }
  void Add(std::string source, TextProblem problem) {
    items_.push_back({.source = std::move(source), .problem = std::move(problem)});
  }
  void Add(const Problem& problem);

  // OK when there are no errors; else INVALID_ARGUMENT (INVALID_CONFIG) whose message is the
  // rendered problems, those of the file first and in its order, at most 20 and about 6 KB, then
  // how many there are besides.
  absl::Status Errors() const;
  std::vector<std::string> Warnings() const { return Render(true); }

 private:
  struct Item {
    std::string source;  // "": the file
    TextProblem problem;
  };

  TextMark Mark(const Problem& problem) const;
  std::vector<std::string> Render(bool warnings) const;

  const std::string_view name_;
  const YamlDocument& document_;
  const SourceOf source_of_;
  std::vector<Item> items_;
};

}  // namespace det
