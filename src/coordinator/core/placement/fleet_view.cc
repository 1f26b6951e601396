#include "coordinator/core/placement/fleet_view.h"

#include "coordinator/core/placement/room_index.h"

namespace coxswain::coordinator::core {

PlacementView::PlacementView() = default;
PlacementView::PlacementView(Nodes nodes) : nodes_(std::move(nodes)) {}
PlacementView::PlacementView(std::initializer_list<Nodes::value_type> nodes) : nodes_(nodes) {}
PlacementView::PlacementView(const PlacementView& other) : nodes_(other.nodes_) {}
PlacementView::PlacementView(PlacementView&& other) noexcept = default;
PlacementView::~PlacementView() = default;

PlacementView& PlacementView::operator=(const PlacementView& other) {
  if (this == &other) return *this;
  index_.reset();
  nodes_ = other.nodes_;
  return *this;
}
PlacementView& PlacementView::operator=(PlacementView&& other) noexcept = default;

NodeCapacity& PlacementView::operator[](const NodeId& id) {
  if (NodeCapacity* node = Change(id)) return *node;
  index_.reset();
  return nodes_[id];
}

NodeCapacity* PlacementView::Change(const NodeId& id) {
  // The index is faster at it, and knows our own nodes.
  if (index_ != nullptr) return const_cast<NodeCapacity*>(index_->Change(id));
  auto found = nodes_.find(id);
  return found == nodes_.end() ? nullptr : &found->second;
}

void PlacementView::erase(const NodeId& id) {
  if (nodes_.erase(id) > 0) index_.reset();
}

RoomIndex& PlacementView::index() const {
  if (index_ == nullptr) index_ = std::make_unique<RoomIndex>(nodes_);
  return *index_;
}

PendingJob AskedFor(JobId job, const JobRequest& request, uint32_t ranks) {
  PendingJob asked;
  asked.id = job;
  asked.ranks = ranks;
  asked.cpus = request.cpus;
  asked.gpus = request.gpus;
  asked.memory = request.memory_bytes;
  asked.selector = request.node_selector;
  asked.gpu_kinds = request.gpu_kinds;
  asked.within = request.within;
  return asked;
}

}  // namespace coxswain::coordinator::core
