// Looks at what runs on machines: no slot and no GPU may be held by two live ranks.
#pragma once

namespace coxswain::sim {

struct World;
class Machine;
class RankProcess;

class ProcessChecker {
 public:
  explicit ProcessChecker(World* world) : world_(*world) {}
  void Started(const Machine& machine, const RankProcess& process);

 private:
  World& world_;
};

}  // namespace coxswain::sim
