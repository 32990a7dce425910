// A small agent for tests, made to be killed at any instant: starts one task, and may terminate it.
//   det-test-owner SHIM TASK DIRECTORY FILE (start|terminate)
// The task notes itself in FILE.
#include <cstdio>
#include <string>
#include <string_view>

#include <unistd.h>

#include "agent/runtime/process_runtime.h"

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  det::agent::ProcessRuntime runtime({.shim_path = argv[1]});
  const std::string directory = argv[3];
  const absl::Status started = runtime.Start({.id = det::AllocationId(1),
                                              .directory = directory,
                                              .argv = {argv[2], "note", argv[4]},
                                              .use_cgroup = false});
  if (!started.ok()) std::fprintf(stderr, "%s\n", started.ToString().c_str());
  if (std::string_view(argv[5]) == "terminate") (void)runtime.Terminate(directory).ok();
  for (;;) ::pause();
}
