// Where jobs would go while their sizes are being decided: tried out on the planner's view, which
// is left as it was. Inside scheduling/ only.
//
// The running ones with a range stay as they are until one that waits cannot be placed otherwise.
// Then each keeps its least where it is; if that does not help, those in the way are placed anew at
// their least size. Whoever is in nobody's way keeps all of its slots.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "coordinator/core/placement/gang_fit.h"

namespace coxswain::coordinator::core {

class TrialRoom {
 public:
  explicit TrialRoom(PlacementView* fleet) : fleet_(fleet) {}  // outlives it
  TrialRoom(const TrialRoom&) = delete;
  TrialRoom& operator=(const TrialRoom&) = delete;
  ~TrialRoom();

  // First, if at all: these will have been let go of.
  void LetGo(Holding held);
  // Then: it runs, and may be made as small as `least` says. `held` outlives this.
  void Add(const PendingJob& least, const Holding& held);
  // Gives it free slots, if there are.
  bool Place(const PendingJob& needs);
  // Gives it those that running ones would give back, too.
  bool PlaceByShrinking(const PendingJob& needs);
  // Somebody was given slots of this running one: it cannot stay as it is.
  bool IsInTheWay(JobId job) const;
  // Last: to so many ranks, of one that is here. False: it has what it had.
  bool Resize(JobId job, uint32_t ranks);

 private:
  struct Spot {
    PendingJob needs;              // at its least size
    const Holding* was = nullptr;  // of a running one: what it really holds
    bool stays = false;            // in *fleet_: it has these
    bool in_the_way = false;
    Holding now;    // in *fleet_, of others
    Holding least;  // in then_, of one that may shrink
    bool Shrinks() const { return was != nullptr && was->ranks.size() > needs.ranks; }
    const Holding& Has() const { return stays ? *was : now; }
  };

  void ShrinkAll();
  Holding LeastOf(const Spot& spot) const;
  bool PlaceByMoving(const PendingJob& needs, Spot* spot);
  void ClearTheWay(const Holding& holding);
  void PutOutOfTheWay(Spot* spot);

  PlacementView* fleet_;
  std::map<JobId, Spot> spots_;
  std::vector<Holding> let_go_;
  // Those that may shrink at their least, and whoever was placed; made when first asked for.
  std::optional<PlacementView> then_;
  std::map<NodeId, std::vector<Spot*>> by_node_;  // those that may shrink
  size_t work_ = 0;
};

}  // namespace coxswain::coordinator::core
