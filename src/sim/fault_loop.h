// What goes wrong, when: one of the world's kinds of trouble at a time, until all is healed.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "sim/durable_store.h"
#include "sim/options.h"

namespace coxswain::sim {

struct World;
class Machine;
class RankProcess;

class FaultLoop {
 public:
  explicit FaultLoop(World* world) : world_(*world) {}

  void Begin();
  void Stop() { stopped_ = true; }
  void BatchMoved();  // a generation of another batch was made
  // From the healing on: every node takes work again, and those are forgotten that are gone.
  void SetInOrder();

 private:
  void Next();
  void Strike(Fault fault);
  bool StrikeCoordinator(Fault fault);
  bool StrikeMachine(Fault fault);
  bool StrikeRank(Fault fault);
  void StrikeStores(Fault fault);
  void MakeBackup();
  void RestoreBackup();
  void CutMachine(Machine& machine, Fault fault);
  void Clone();
  void Drain();
  void Forget(Machine& machine);
  void DrainNothing();
  void ForgetLost();
  Machine& AnyMachine();
  std::shared_ptr<RankProcess> AnyRank();

  World& world_;
  bool stopped_ = false;
  std::vector<Fault> enabled_;
  std::optional<Rows> backup_;
  bool restored_ = false, cloned_ = false;
};

}  // namespace coxswain::sim
