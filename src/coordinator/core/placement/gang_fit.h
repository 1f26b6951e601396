// Where one gang would go: all of it, or nowhere.
//
// Machines are filled first, then racks: one machine that holds the gang, the fullest; else one
// rack, the fullest, with the fewest machines; else as few racks as can be, the roomiest, and as
// few of their machines. What is left over of a gang goes where it leaves the least. A gang without
// GPUs takes machines without GPUs first, though they may be more. All GPUs of a gang that names
// kinds are of one kind, the first of its list that can be had. Ties by node id.
#pragma once

#include <cstdint>
#include <vector>

#include "coordinator/core/placement/fleet_view.h"

namespace coxswain::coordinator::core {

// What is counted: what is free on nodes that may be given work, or all that the fleet has, whoever
// holds which checkpoint.
enum class Extent { kFree, kWhole };

struct NodeShare {
  const NodeId* node = nullptr;
  const NodeCapacity* capacity = nullptr;
  uint32_t ranks = 0;
};

struct GangFit {
  std::vector<NodeShare> shares;  // by rank; empty: it does not fit
  std::string gpu_kind;           // of job.gpu_kinds; empty: any
};

GangFit FitGang(const PlacementView& view, const PendingJob& job, Extent extent);

// The same, by a look at every node: for few nodes, and for jobs that know some of them by name.
GangFit FitGangByScan(const PlacementView& view, const PendingJob& job, Extent extent);

// The same, those of one rack beside each other.
std::vector<NodeShare> RackByRack(std::vector<NodeShare> shares);

// How many of the gang's ranks the node has room for.
uint32_t RoomOn(const NodeCapacity& node, const PendingJob& job, Extent extent);

// All of it free, the node would hold the whole gang.
bool FitsNode(const NodeCapacity& node, const PendingJob& job);
// There is such a node.
bool FitsOneNode(const PlacementView& view, const PendingJob& job);

// Its labels are those that the job asks for.
bool HasLabels(const NodeCapacity& node, const PendingJob& job);
// "h200" is in "NVIDIA H200", whatever the case.
bool IsOfKind(const GpuSlot& gpu, const std::string& kind);

// Takes (1) or gives back (-1) what a gang holds or is promised. They add up: what is promised
// while another gang holds it is free when that one lets go and the promise is kept or dropped.
void Occupy(PlacementView* view, const Holding& holding, int sign);

// Takes the gang's slots out of the view.
Placement TakeSlots(PlacementView* view, const PendingJob& job, const GangFit& fit);

}  // namespace coxswain::coordinator::core
