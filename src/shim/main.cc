// cox-shim: the parent of one rank. Started by cox-worker; not meant to be run by hand.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/version.h"
#include "shim/shim_loop.h"

namespace {

constexpr char kUsage[] =
    "usage: cox-shim --folder FOLDER [--control-fd N] [--lifeline-fd N] [--grace-ms N]\n"
    "                [--log-file-bytes N] [--log-files N] -- PROGRAM [ARGUMENT]...\n";

// Options before "--", the program after it. False: not understood.
bool Parse(int argc, char** argv, coxswain::shim::ShimOptions& options) {
  int i = 1;
  for (; i + 1 < argc && strcmp(argv[i], "--") != 0; i += 2) {
    const char* value = argv[i + 1];
    if (strcmp(argv[i], "--folder") == 0) {
      options.folder = value;
    } else if (strcmp(argv[i], "--control-fd") == 0) {
      options.control_fd = static_cast<int>(strtol(value, nullptr, 10));
    } else if (strcmp(argv[i], "--lifeline-fd") == 0) {
      options.lifeline_fd = static_cast<int>(strtol(value, nullptr, 10));
    } else if (strcmp(argv[i], "--log-file-bytes") == 0) {
      options.log_file_bytes = strtoull(value, nullptr, 10);
    } else if (strcmp(argv[i], "--log-files") == 0) {
      options.log_files = static_cast<uint32_t>(strtoul(value, nullptr, 10));
    } else if (strcmp(argv[i], "--grace-ms") == 0) {
      options.grace = coxswain::base::milliseconds(strtoll(value, nullptr, 10));
    } else {
      return false;
    }
  }
  for (++i; i < argc; ++i) options.program.push_back(argv[i]);
  return !options.folder.empty() && !options.program.empty();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "--version") == 0) {
    printf("cox-shim %s\n", coxswain::base::kVersion);
    return 0;
  }
  coxswain::shim::ShimOptions options;
  if (!Parse(argc, argv, options)) {
    fputs(kUsage, stderr);
    return 2;
  }
  return coxswain::shim::ShimLoop(std::move(options)).Run();
}
