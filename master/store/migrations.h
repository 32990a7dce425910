#pragma once

#include <string_view>
#include <vector>

namespace det::store {

struct Migration {
  int version = 0;
  std::string_view name;
  std::string_view sql;
};

// The files of migrations/, in order; built into the program (cmake/embed.cmake).
const std::vector<Migration>& Migrations();

}  // namespace det::store
