// One generation's ranks as they see each other: the group forms, steps together, and breaks.
// Stands for TCPStore, Gloo and their sockets (DESIGN section 9).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "sim/blob_store.h"
#include "trainer/core/decisions.h"
#include "trainer/core/events.h"

namespace coxswain::sim {

struct World;
class Engine;

enum class Collective : uint8_t { kStep, kEvaluate };

// What a rank brings to a collective, and what all get from it.
struct Said {
  trainer::core::RunStep step;
  trainer::core::Evaluate best;  // of rank 0
};

// What all ranks start from.
struct Agreed {
  bool has_state = false;
  TrainState state;
  trainer::core::GroupFormed formed;  // of rank 0; others leave the restore out
};

class Group : public std::enable_shared_from_this<Group> {
 public:
  Group(World* world, base::JobId job, protocol::FormGeneration form)
      : world_(*world), job_(job), form_(std::move(form)) {}

  void Join(base::Rank rank, const std::shared_ptr<Engine>& engine);
  // This rank has done its part of the collective; the answer comes when all have.
  void Enter(base::Rank rank, Collective kind, const Said& said);
  // Everybody in it fails soon. A rank that died, left, was freed, or waited for too long.
  void Break(const std::string& why);
  // A rank has made a step: it must have brought all to one state.
  void Stepped(const TrainState& state);
  void Resume();  // a path between machines is open again
  // Of rank 0, asked to restore. `failed`: its process gives up.
  void Restored(std::optional<Agreed> agreed, bool failed);

  const protocol::FormGeneration& form() const { return form_; }
  bool broken() const { return broken_; }

 private:
  bool Reachable() const;
  void AgreeIfAllJoined();
  void Agree();
  void Tell(const Agreed& agreed);
  void CompleteIfAllEntered();
  // Calls what is still there of each rank, each a little later.
  template <class Call>
  void ForEach(const Call& call);

  World& world_;
  const base::JobId job_;
  const protocol::FormGeneration form_;
  std::map<base::Rank, std::weak_ptr<Engine>> seats_;
  bool broken_ = false, agreeing_ = false;
  std::optional<Collective> running_;
  std::set<base::Rank> entered_;
  Said said_;          // by those who have entered
  TrainState newest_;  // of the first rank that came to its step
};

// The groups that exist, so that all members of a generation meet in one.
class GroupTable {
 public:
  std::shared_ptr<Group> Of(World* world, base::JobId job, const protocol::FormGeneration& form);
  void ResumeAll();
  // A connection between two ranks of some group is reset; both live.
  void BreakOne(uint64_t bits);

 private:
  using Key = std::tuple<base::JobId, base::Generation, base::Incarnation>;
  std::map<Key, std::weak_ptr<Group>> groups_;
};

}  // namespace coxswain::sim
