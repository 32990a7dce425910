#pragma once

#include <string>

namespace det::cli {

// Compares with cli/testing/golden/NAME.txt. With DET_UPDATE_GOLDEN=1 in the environment the file
// is written instead, to be read in the diff. "127.0.0.1:PORT" of any port counts as MASTER.
void ExpectGolden(const std::string& name, std::string text);

}  // namespace det::cli
