#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// Which folder may include which.
namespace det::lint {

// Each folder may include itself, what `below` names, and nothing else of the project. A name that
// ends in "/" stands for all folders in it.
struct Layer {
  std::string_view folder;
  std::vector<std::string_view> below;
};
const std::vector<Layer>& Layers();

// The innermost layer that the folder is in; nullptr: none.
const Layer* LayerOf(const std::string& folder);

using Graph = std::map<std::string, std::set<std::string>>;

// The table as a graph of its folders.
Graph Below(const std::vector<Layer>& layers);

// "a -> b -> a", or "" when there is none. What points at itself is no circle.
std::string FindCycle(const Graph& graph);

}  // namespace det::lint
