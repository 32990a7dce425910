#include "cli/view/diff_view.h"

#include <set>

#include "common/base/strings.h"

namespace det::cli {
namespace {

Cell LeafCell(const Value* value) {
  if (value == nullptr) return {};
  if (value->is_int()) return value->as_int();
  if (value->is_double()) return value->as_double();
  if (value->is_string()) return value->as_string();
  return value->ToJson();
}

void Compare(const std::string& path,
             const Value* left,
             const Value* right,
             std::vector<Difference>* out) {
  const bool left_map = left != nullptr && left->is_object();
  const bool right_map = right != nullptr && right->is_object();
  if (!left_map && !right_map) {
    const bool same = left != nullptr && right != nullptr && *left == *right;
    if (!same && (left != nullptr || right != nullptr)) {
      out->push_back({path, LeafCell(left), LeafCell(right)});
    }
    return;
  }
  if ((left != nullptr && !left_map) || (right != nullptr && !right_map)) {
    out->push_back({path, LeafCell(left), LeafCell(right)});
    return;
  }
  std::set<std::string> keys;
  for (const Value* side : {left, right}) {
    if (side == nullptr) continue;
    for (const auto& [key, member] : side->as_object()) keys.insert(key);
  }
  for (const std::string& key : keys) {
    Compare(path.empty() ? key : StrCat(path, ".", key),
            left == nullptr ? nullptr : left->Find(key),
            right == nullptr ? nullptr : right->Find(key),
            out);
  }
}

}  // namespace

std::vector<Difference> DifferencesOf(const Value& left, const Value& right) {
  std::vector<Difference> differences;
  Compare("", &left, &right, &differences);
  return differences;
}

Report DiffReport(const std::pair<std::string, std::string>& names,
                  const std::vector<DiffPart>& parts) {
  Report report;
  report.document.Add("left", names.first).Add("right", names.second);
  Document::List list;
  report.table = {.columns = {{"part"},
                              {"path"},
                              {.name = "left", .shrinks = true, .wraps = true},
                              {.name = "right", .shrinks = true, .wraps = true}},
                  .key = "path"};
  std::string same;
  for (const DiffPart& part : parts) {
    Table table{.columns = {{"path"},
                            {.name = names.first, .shrinks = true, .wraps = true},
                            {.name = names.second, .shrinks = true, .wraps = true}},
                .key = "path"};
    for (const Difference& difference : part.differences) {
      table.rows.push_back({difference.path, difference.left, difference.right});
      report.table.rows.push_back({part.title, difference.path, difference.left, difference.right});
      list.push_back(Document()
                         .Add("part", part.title)
                         .Add("path", difference.path)
                         .Add("left", ExactText(difference.left))
                         .Add("right", ExactText(difference.right)));
    }
    if (part.differences.empty()) {
      StrAppend(same, same.empty() ? "" : ", ", part.title);
    } else {
      report.sections.push_back({part.title, std::move(table)});
    }
  }
  report.document.Add("differences", std::move(list));
  if (!same.empty()) report.sections.push_back({"", StrCat("Alike: ", same, ".\n")});
  return report;
}

}  // namespace det::cli
