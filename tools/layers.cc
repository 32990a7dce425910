#include "tools/layers.h"

#include <algorithm>

namespace det::lint {
namespace {

bool IsInside(std::string_view folder, std::string_view other) {
  return folder == other ||
         (folder.size() > other.size() && folder.starts_with(other) && folder[other.size()] == '/');
}

// Depth first; what is on the way and comes again closes a circle.
class CycleFinder {
 public:
  explicit CycleFinder(const Graph& graph) : graph_(graph) {}

  std::string Run() {
    for (const auto& [folder, below] : graph_) {
      if (std::string cycle = From(folder); !cycle.empty()) return cycle;
    }
    return "";
  }

 private:
  std::string From(const std::string& folder) {
    const auto at = std::find(way_.begin(), way_.end(), folder);
    if (at != way_.end()) return Print({at, way_.end()}) + folder;
    const auto node = graph_.find(folder);
    if (node == graph_.end() || !seen_.insert(folder).second) return "";
    way_.push_back(folder);
    for (const std::string& next : node->second) {
      if (next == folder) continue;
      if (std::string cycle = From(next); !cycle.empty()) return cycle;
    }
    way_.pop_back();
    return "";
  }

  static std::string Print(const std::vector<std::string>& way) {
    std::string text;
    for (const std::string& folder : way) text += folder + " -> ";
    return text;
  }

  const Graph& graph_;
  std::set<std::string> seen_;
  std::vector<std::string> way_;
};

std::vector<std::string_view> With(std::vector<std::string_view> a,
                                   std::initializer_list<std::string_view> b) {
  a.insert(a.end(), b);
  return a;
}

std::vector<std::string_view> Verbs(const std::vector<std::string_view>& screen) {
  return With(screen,
              {"cli/app",
               "cli/cluster",
               "cli/download",
               "cli/follow",
               "cli/logs",
               "cli/top",
               "cli/upload",
               "cli/view"});
}

std::vector<Layer> Joined(std::vector<Layer> a, std::vector<Layer> b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const std::vector<std::string_view>& Pure() {
  static const std::vector<std::string_view> pure = {"common/base", "common/rng", "common/math"};
  return pure;
}

std::vector<Layer> AgentLayers() {
  return {
      {"agent/core", Pure()},
      {"agent/spool", {"common/"}},
      {"agent/state", {"common/", "agent/core"}},
      {"agent/devices", {"common/"}},
      {"agent/sampling", {"common/"}},
      {"agent/config", {"common/"}},
      {"agent/task", {"common/", "agent/core", "agent/spool"}},
      {"agent/shim", {"common/", "agent/core", "agent/spool", "agent/task"}},
      {"agent/runtime", {"common/", "agent/core", "agent/spool", "agent/task", "agent/shim"}},
      {"agent/checkpoints", {"common/"}},
      {"agent/relay", {"common/", "agent/spool", "agent/checkpoints"}},
      {"agent/session", {"common/", "agent/core", "agent/spool", "agent/relay"}},
      {"agent/prepare",
       {"common/", "agent/core", "agent/devices", "agent/session", "agent/checkpoints"}},
  };
}

}  // namespace

const std::vector<Layer>& Layers() {
  static const std::vector<std::string_view>& pure = Pure();
  static const std::vector<std::string_view> core =
      With(pure, {"master/spec", "master/searcher", "master/scheduler", "master/core"});
  static const std::vector<std::string_view> engine =
      With(core, {"common/", "master/storage", "master/journal", "master/engine"});
  static const auto stores = With(engine, {"master/store", "master/gc", "master/deletion"});
  static const std::vector<std::string_view> screen = {
      "common/", "cli/base", "cli/client", "cli/format"};
  static const std::vector<Layer> layers = Joined(
      AgentLayers(),
      {
          {"common/base", {}},
          {"common/rng", {"common/base"}},
          {"common/math", {"common/base"}},
          {"common/filter", {"common/base"}},
          {"common", {"common/"}},
          {"master/spec", pure},
          {"master/searcher", With(pure, {"master/spec"})},
          {"master/scheduler", With(pure, {"master/spec"})},
          {"master/core", core},
          {"master/gc", pure},
          {"master/config", With(core, {"common/"})},
          {"master/storage", {"common/", "master/spec"}},
          {"master/journal", With(core, {"common/"})},
          {"master/engine", engine},
          {"master/store", With(engine, {})},
          {"master/deletion",
           {"common/", "master/spec", "master/gc", "master/storage", "master/store"}},
          {"master/auth", With(core, {"common/"})},
          {"master/catalog", With(core, {"common/", "master/auth"})},
          {"master/ingest", With(engine, {})},
          {"master/ended", With(stores, {})},
          {"master/rpc",
           With(stores,
                {"master/catalog",
                 "master/config",
                 "master/ended",
                 "master/ingest",
                 "master/auth"})},
          {"master/http", With(engine, {"master/ingest", "master/auth"})},
          {"cli/base", {"common/"}},
          {"cli/format", {"common/"}},
          {"cli/upload", {"common/", "cli/base"}},
          {"cli/download", {"common/", "cli/base", "cli/upload"}},
          {"cli/client", {"common/", "cli/base"}},
          {"cli/app", screen},
          {"cli/view", screen},
          {"cli/logs", With(screen, {"cli/view"})},
          {"cli/follow", With(screen, {"cli/app", "cli/view"})},
          {"cli/top", With(screen, {"cli/app", "cli/view"})},
          {"cli/cluster",
           With(screen, {"agent/config", "agent/core", "agent/task", "agent/runtime", "cli/app"})},
          {"cli/cmd", Verbs(screen)},
          {"cli", {"common/", "cli/app", "cli/cmd"}},
          {"harness/cpp", {}},
      });
  return layers;
}

const Layer* LayerOf(const std::string& folder) {
  const Layer* best = nullptr;
  for (const Layer& layer : Layers()) {
    if (IsInside(folder, layer.folder) &&
        (best == nullptr || layer.folder.size() > best->folder.size()))
      best = &layer;
  }
  return best;
}

Graph Below(const std::vector<Layer>& layers) {
  Graph graph;
  for (const Layer& layer : layers) {
    std::set<std::string>& below = graph[std::string(layer.folder)];
    for (const std::string_view name : layer.below) {
      const bool all = name.ends_with('/');
      for (const Layer& other : layers) {
        const bool named =
            all ? IsInside(other.folder, name.substr(0, name.size() - 1)) : other.folder == name;
        if (named) below.emplace(other.folder);
      }
    }
  }
  return graph;
}

std::string FindCycle(const Graph& graph) {
  return CycleFinder(graph).Run();
}

}  // namespace det::lint
