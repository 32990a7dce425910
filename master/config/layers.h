#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "common/config/problem_report.h"
#include "common/config/yaml.h"
#include "master/config/merge.h"
#include "master/config/overrides.h"

namespace det::config {

// What the cluster has for every experiment; shaped as configurations (master/config/defaults.h).
struct ClusterLayers {
  // The text of a template; NotFound when there is none. Not set: the cluster has no templates.
  std::function<absl::StatusOr<std::string>(const std::string& name)> find_template;
  Value defaults;
  std::map<std::string, Value> pools;  // of the pool of this name, over `defaults`
};

// The configurations that make up one: --config over a file, over a template and what that names
// in turn by its own key `template`, over the pool's defaults, over the cluster's, over what is
// built in.
class Layers {
 public:
  Layers(std::string name, const std::string& text, const std::vector<std::string>& overrides);

  // Follows the names of templates, `first` or that in the file being the first.
  void AddTemplates(const ClusterLayers& cluster, const std::string& first);
  // The pool is the one that the layers so far name, or else `pool`.
  void AddDefaults(const ClusterLayers& cluster, const std::string& pool);

  // Reads and merges; to be asked of a report without errors, once.
  MergedConfig Merge() const;

  // Where problems at paths of `merged` were written; `merged` outlives what is given.
  ProblemReport Report(const MergedConfig* merged) const;
  // What went wrong so far.
  void AddProblems(ProblemReport* report) const;

 private:
  struct Layer {
    std::string name;
    std::unique_ptr<YamlDocument> document;  // nullptr: no text
    Value value;
  };
  struct Said {
    std::string name;
    const YamlDocument* document;
    TextProblem problem;
  };

  void Read(std::string name, const std::string& text);
  void Hide(Layer* layer);
  std::string TakeTemplateName(Layer* layer);
  void Say(std::string name, std::string message, std::string hint = "");
  std::string OverrideAt(std::string_view path) const;

  std::vector<Layer> layers_;
  size_t given_ = 0;  // of them, by the user
  std::vector<Override> overrides_;
  std::vector<Said> said_;
};

}  // namespace det::config
