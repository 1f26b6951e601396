#include "sim/process_checker.h"

#include <map>

#include "sim/world.h"

namespace coxswain::sim {

void ProcessChecker::Started(const Machine& machine, const RankProcess& started) {
  uint64_t cpus = 0;
  std::map<std::string, int> gpus;
  for (const auto& [key, process] : machine.processes()) {
    cpus += process->start().cpus;
    for (const std::string& uuid : process->start().gpu_uuids) ++gpus[uuid];
  }
  std::string what = "; the last one is rank " + std::to_string(started.key().rank) + " of " +
                     base::ToString(started.key().job);
  if (cpus > machine.plan().cpus) {
    world_.journal.Fail("slots given twice: " + machine.name() + " has " +
                        std::to_string(machine.plan().cpus) + " and runs ranks for " +
                        std::to_string(cpus) + what);
  }
  for (const auto& [uuid, count] : gpus) {
    if (count > 1) world_.journal.Fail("GPU " + uuid + " is held by two ranks" + what);
  }
}

}  // namespace coxswain::sim
