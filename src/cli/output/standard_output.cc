#include "cli/output/standard_output.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdio>

namespace coxswain::cli::output {
namespace {

int trouble = 0;  // the first errno; only the thread that prints touches it

}  // namespace

void HoldStandardDescriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) < 0) (void)open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
  }
}

bool WriteOut(std::string_view text) {
  if (trouble != 0) return false;
  errno = 0;
  const bool whole = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (!whole || std::fflush(stdout) != 0) trouble = errno != 0 ? errno : EIO;
  return trouble == 0;
}

int OutputTrouble() {
  (void)WriteOut("");
  if (trouble == 0 && std::ferror(stdout) != 0) trouble = EIO;
  return trouble;
}

}  // namespace coxswain::cli::output
