// One simulated fleet, made from a seed: everything in it happens in one thread, in the order of
// virtual time.
#pragma once

#include <memory>
#include <vector>

#include "sim/blob_store.h"
#include "sim/client.h"
#include "sim/coordinator_host.h"
#include "sim/dice.h"
#include "sim/end_checker.h"
#include "sim/event_queue.h"
#include "sim/fault_loop.h"
#include "sim/group.h"
#include "sim/journal.h"
#include "sim/machine.h"
#include "sim/options.h"
#include "sim/process_checker.h"
#include "sim/row_checker.h"
#include "sim/send_checker.h"
#include "sim/state_checker.h"
#include "sim/worker_host.h"

namespace coxswain::sim {

enum class Telling : uint8_t { kNothing, kLastLines, kAloud };

struct World {
  World(uint64_t seed, Telling telling);
  ~World();

  // Until everything has ended and is quiet, or a checker has found something wrong.
  void Run();

  base::WallTime Wall(base::Duration jump) const {
    return base::WallTime{1'800'000'000'000'000} + base::Duration(queue.now().us) + jump;
  }
  const JobPlan& PlanOf(const std::string& spec_yaml) const;
  // Where the objects of a checkpoint are.
  std::string PlaceOf(const core::CheckpointRow& row) const;
  // A machine with a copied disk may be taken for the one that holds this file:// checkpoint.
  bool Astray(const core::CheckpointRow& row) const;
  bool IsSomeMachine(const base::NodeId& node) const;
  // A job was trained further than ever before, or has come to its end.
  void Advanced() { advanced_at = queue.now(); }
  // All faults end, everything is started again.
  void Heal();
  void KeepHouse(const Retention& limits);

  const uint64_t seed;
  const Options options;
  EventQueue queue;
  Dice dice;
  Journal journal;
  RowChecker row_checker;
  SendChecker send_checker;
  ProcessChecker process_checker;
  StateChecker state_checker;
  EndChecker end_checker;
  BlobStore blobs;
  GroupTable groups;
  std::unique_ptr<CoordinatorHost> coordinator;
  std::vector<std::unique_ptr<Machine>> machines;
  std::vector<std::unique_ptr<Client>> clients;
  FaultLoop faults;
  bool healed = false;
  base::Time advanced_at;
};

}  // namespace coxswain::sim
