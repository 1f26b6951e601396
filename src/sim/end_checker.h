// What is still under way once all is healed; nothing may wait for ever.
#pragma once

#include <string>

namespace coxswain::sim {

struct World;

class EndChecker {
 public:
  explicit EndChecker(World* world) : world_(*world) {}

  // What has not come to its end; empty: all has.
  std::string WhatIsLeft() const;
  // A waiting job of which nothing says why; empty: there is none.
  std::string WhatIsUnexplained() const;
  // Of a world that is quiet: the ends are those that the jobs deserve.
  void CheckEnds();

 private:
  std::string JobLeft() const;
  std::string MachineLeft() const;
  std::string CheckpointLeft() const;

  World& world_;
};

}  // namespace coxswain::sim
