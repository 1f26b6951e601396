// Loaded before a daemon (LD_PRELOAD): its wall clock is off by as many seconds as the file named
// by COXSWAIN_TEST_CLOCK says, from one call to the next. The monotonic clock stays what it is.
#include <dlfcn.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>

namespace {

long Offset() {
  const char* path = getenv("COXSWAIN_TEST_CLOCK");
  FILE* file = path == nullptr ? nullptr : fopen(path, "re");
  if (file == nullptr) return 0;
  long seconds = 0;
  if (fscanf(file, "%ld", &seconds) != 1) seconds = 0;
  fclose(file);
  return seconds;
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* out) noexcept {
  using ClockGettime = int (*)(clockid_t, timespec*);
  static const auto kReal = reinterpret_cast<ClockGettime>(dlsym(RTLD_NEXT, "clock_gettime"));
  const int result = kReal(clock, out);
  if (clock == CLOCK_REALTIME && result == 0) out->tv_sec += Offset();
  return result;
}
