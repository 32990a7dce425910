#include <cstdio>
#include <exception>
#include <string>

#include "harness/cpp/det.h"

namespace det::harness {
namespace {

// LibTorch appends a stack trace to its messages; what went wrong stands before it. The rest goes
// on one line, so that a log shows it as one.
std::string OneLine(std::string text) {
  text = text.substr(0, text.find("\nException raised from "));
  std::string line;
  for (const char c : text) {
    const char blank = c == '\n' ? ' ' : c;
    if (blank != ' ' || (!line.empty() && line.back() != ' ')) line += blank;
  }
  return line.substr(0, line.find_last_not_of(' ') + 1);
}

int Fail(const std::string& what) {
  std::fflush(stdout);
  std::fprintf(stderr, "error: %s\n", what.c_str());
  return 1;
}

}  // namespace

int Run(int argc, const char* const* argv, const std::function<void(Context&)>& body) {
  try {
    Context context = Context::Create(argc, argv);
    body(context);
    return 0;
  } catch (const Leave&) {
    return 0;
  } catch (const std::exception& error) {
    return Fail(OneLine(error.what()));
  } catch (...) {
    return Fail("an exception that is no std::exception");
  }
}

}  // namespace det::harness
