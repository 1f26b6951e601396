// A Python that has what a test runs beside us: that of the benchmarks (COXSWAIN_PEERS, or where
// tests/perf/bench.py makes one), else Debian's.
#pragma once

#include <stdlib.h>

#include <string>

namespace coxswain {

inline std::string BenchmarksPython() {
  const auto variable = [](const char* name) -> std::string {
    const char* value = getenv(name);
    return value == nullptr ? "" : value;
  };
  std::string peers = variable("COXSWAIN_PEERS"), cache = variable("XDG_CACHE_HOME");
  if (cache.empty()) cache = variable("HOME") + "/.cache";
  if (peers.empty()) peers = cache + "/coxswain/peers";
  return peers + "/bin/python";
}

// `modules`: "torch, transformers". Empty: none has them.
inline std::string PeerPython(const std::string& modules) {
  for (const std::string& python : {BenchmarksPython(), std::string("/usr/bin/python3")}) {
    const std::string probe = python + " -c 'import " + modules + "' 2>/dev/null";
    if (std::system(probe.c_str()) == 0) return python;
  }
  return "";
}

// Why a test is skipped.
inline std::string NoPeerPython(const std::string& modules) {
  return "no Python with " + modules + ": neither " + BenchmarksPython() + " nor /usr/bin/python3";
}

}  // namespace coxswain
