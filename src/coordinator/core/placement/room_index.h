// Where a large fleet has room for a gang, without a look at each node: the choices are those of
// FitGangByScan.
//
// The nodes of a rack stand on shelves. For each shape of gang that is asked for, the index keeps
// what each shelf has room for, and looks again only at shelves on which a node has changed. So
// a question costs a few nanoseconds a shelf, and a change the look at one shelf for each shape
// that is still asked for.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "coordinator/core/placement/gang_fit.h"

namespace coxswain::coordinator::core {

class RoomIndex {
 public:
  using Nodes = PlacementView::Nodes;
  explicit RoomIndex(const Nodes& nodes) { Build(nodes); }

  // The node will have changed when Fit is called next. Null: there is none.
  const NodeCapacity* Change(const NodeId& id);
  // Nodes for a gang whose GPUs are all of this kind (empty: of any), best first; empty: there is
  // no room. `nodes` are those that it was made of, where they were in memory. `job` names no node,
  // or `extent` is kWhole.
  std::vector<NodeShare> Fit(const Nodes& nodes, const PendingJob& job, const std::string& kind,
                             Extent extent);

 private:
  struct KindCount {
    size_t kind = 0;          // of kinds_
    uint32_t in[2] = {0, 0};  // by Extent
  };
  // What decides about room on a node, in numbers.
  struct Summary {
    const NodeId* id = nullptr;
    const NodeCapacity* node = nullptr;
    uint32_t order = 0;  // among all nodes, by id
    bool changed = true;
    bool usable = false;
    int64_t cpus[2] = {0, 0}, memory[2] = {0, 0};  // by Extent
    uint32_t gpus[2] = {0, 0};
    std::vector<KindCount> kinds;
  };
  struct Shelf {
    size_t rack = 0;
    uint64_t version = 1;  // rises with each change of a node on it
    std::vector<Summary> nodes;
  };
  // Where a node stands.
  struct Place {
    uint64_t hash = 0;  // of its id
    size_t shelf = 0, slot = 0;
  };
  struct Rack {
    std::string name;
    size_t first = 0, end = 0;  // shelves
  };
  // Room for some ranks of a gang, rated as gang_fit.cc does.
  struct Spot {
    bool wastes_gpus = false;
    uint32_t missing = 0;  // ranks of the gang that it has no room for
    int64_t left = 0;
    uint32_t order = 0;
    const Summary* at = nullptr;
    bool operator<(const Spot& b) const {
      return std::tie(wastes_gpus, missing, left, order) <
             std::tie(b.wastes_gpus, b.missing, b.left, b.order);
    }
  };
  // What one shelf has for one shape.
  struct Part {
    uint64_t version = 0;       // of the shelf when it was looked at; 0: never
    std::optional<Spot> alone;  // the best one that holds the whole gang
    std::vector<Spot> spots;    // all, best first; of gangs of more than one rank
    uint32_t largest = 0;       // of the room on one of them
  };
  struct ShapeKey {
    uint32_t ranks, cpus, gpus;
    int64_t memory;
    Extent extent;
    std::string kind;
    std::map<std::string, std::string> selector;
    auto operator<=>(const ShapeKey&) const = default;
  };
  struct Shape {
    uint64_t asked = 0;               // when last
    std::vector<bool> kinds;          // those of kinds_ that serve
    std::vector<Part> parts;          // by shelf
    std::vector<uint64_t> rack_room;  // for ranks
    uint64_t room = 0;                // the sum
  };

  void Build(const Nodes& nodes);
  void Refresh(const Nodes& nodes);
  void Summarize(Summary* summary);
  size_t KindOf(const std::string& name);
  Shape& ShapeOf(const PendingJob& job, const std::string& kind, Extent extent);
  void Look(const PendingJob& job, Extent extent, Shape* shape, size_t shelf);
  uint32_t RoomOn(const Summary& summary, const PendingJob& job, Extent extent,
                  const Shape& shape) const;
  std::vector<NodeShare> InOneRack(const PendingJob& job, const Shape& shape) const;
  std::vector<NodeShare> OverRacks(const PendingJob& job, const Shape& shape) const;
  static const Spot* NextSpot(const Shape& shape, const std::vector<size_t>& shelves,
                              std::vector<size_t>* used);
  static size_t CountMachines(const PendingJob& job, const Shape& shape, const Rack& rack);
  static std::vector<NodeShare> Spread(const PendingJob& job, const Shape& shape,
                                       const std::vector<size_t>& shelves);

  std::vector<Rack> racks_;  // by name
  std::vector<Shelf> shelves_;
  std::vector<Place> places_;  // by hash
  std::vector<Place> changed_;
  std::vector<std::string> kinds_;  // of GPUs, as nodes name them
  std::map<ShapeKey, Shape> shapes_;
  uint64_t asked_ = 0;
};

}  // namespace coxswain::coordinator::core
