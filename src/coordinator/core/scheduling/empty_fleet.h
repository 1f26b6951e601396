// How many ranks of a kind there is room for on all usable nodes, if they were empty. Inside
// scheduling/ only.
#pragma once

#include <map>
#include <optional>
#include <tuple>

#include "coordinator/core/placement/gang_fit.h"

namespace coxswain::coordinator::core {

class EmptyFleet {
 public:
  struct Room {
    uint32_t on_node = 0, in_rack = 0, in_fleet = 0;
  };

  explicit EmptyFleet(const PlacementView* fleet) : fleet_(fleet) {}  // outlives it
  // Where the job may go. A look at every node for each kind of rank that is asked for.
  const Room& RoomFor(const PendingJob& job);

 private:
  using Key = std::tuple<uint32_t, uint32_t, int64_t, std::map<std::string, std::string>,
                         std::vector<std::string>, std::optional<NodeId>>;
  const PlacementView* fleet_;
  std::map<Key, Room> rooms_;
};

}  // namespace coxswain::coordinator::core
