#include "coordinator/core/placement/room_index.h"

#include <algorithm>

namespace coxswain::coordinator::core {
namespace {

constexpr size_t kShelf = 64;  // nodes
constexpr size_t kMostShapes = 128;

uint64_t HashOf(const NodeId& id) {
  uint64_t hash = id.value.size();
  for (char c : id.value) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

size_t Of(Extent extent) { return extent == Extent::kFree ? 0 : 1; }

}  // namespace

void RoomIndex::Build(const Nodes& nodes) {
  racks_.clear();
  shelves_.clear();
  places_.clear();
  changed_.clear();
  shapes_.clear();
  std::map<std::string_view, std::vector<Summary>> by_rack;
  uint32_t order = 0;
  for (const auto& [id, node] : nodes) {
    Summary summary;
    summary.id = &id;
    summary.node = &node;
    summary.order = order++;
    by_rack[node.rack].push_back(std::move(summary));
  }
  for (auto& [name, summaries] : by_rack) {
    Rack rack{std::string(name), shelves_.size(), 0};
    for (Summary& summary : summaries) {
      bool full = shelves_.size() == rack.first || shelves_.back().nodes.size() == kShelf;
      if (full) shelves_.push_back({.rack = racks_.size(), .version = 1, .nodes = {}});
      places_.push_back({HashOf(*summary.id), shelves_.size() - 1, shelves_.back().nodes.size()});
      Summarize(&summary);
      shelves_.back().nodes.push_back(std::move(summary));
    }
    rack.end = shelves_.size();
    racks_.push_back(std::move(rack));
  }
  std::sort(places_.begin(), places_.end(),
            [](const Place& a, const Place& b) { return a.hash < b.hash; });
}

const NodeCapacity* RoomIndex::Change(const NodeId& id) {
  uint64_t hash = HashOf(id);
  auto place = std::lower_bound(places_.begin(), places_.end(), hash,
                                [](const Place& a, uint64_t b) { return a.hash < b; });
  for (; place != places_.end() && place->hash == hash; ++place) {
    Summary& summary = shelves_[place->shelf].nodes[place->slot];
    if (*summary.id != id) continue;
    if (!summary.changed) changed_.push_back(*place);
    summary.changed = true;
    return summary.node;
  }
  return nullptr;
}

void RoomIndex::Refresh(const Nodes& nodes) {
  for (const Place& place : changed_) {
    Shelf& shelf = shelves_[place.shelf];
    Summary& summary = shelf.nodes[place.slot];
    if (summary.node->rack != racks_[shelf.rack].name) return Build(nodes);
    Summarize(&summary);
    ++shelf.version;
  }
  changed_.clear();
}

void RoomIndex::Summarize(Summary* summary) {
  const NodeCapacity& node = *summary->node;
  summary->changed = false;
  summary->usable = node.why_not.empty();
  summary->cpus[0] = node.cpus_free;
  summary->cpus[1] = node.cpus;
  summary->memory[0] = node.memory_free;
  summary->memory[1] = node.memory;
  summary->gpus[0] = summary->gpus[1] = 0;
  summary->kinds.clear();
  const std::string* last = nullptr;
  for (const GpuSlot& gpu : node.gpus) {
    if (last == nullptr || gpu.kind != *last) {
      last = &gpu.kind;
      summary->kinds.push_back({.kind = KindOf(gpu.kind)});
    }
    uint32_t free = gpu.taken == 0 ? 1 : 0;
    summary->gpus[0] += free;
    summary->gpus[1] += 1;
    summary->kinds.back().in[0] += free;
    summary->kinds.back().in[1] += 1;
  }
}

size_t RoomIndex::KindOf(const std::string& name) {
  auto found = std::find(kinds_.begin(), kinds_.end(), name);
  if (found == kinds_.end()) {
    kinds_.push_back(name);
    shapes_.clear();  // which kinds serve them has to be found out anew
    return kinds_.size() - 1;
  }
  return static_cast<size_t>(found - kinds_.begin());
}

RoomIndex::Shape& RoomIndex::ShapeOf(const PendingJob& job, const std::string& kind,
                                     Extent extent) {
  ShapeKey key{job.ranks, job.cpus, job.gpus, job.memory, extent, kind, job.selector};
  auto found = shapes_.find(key);
  if (found == shapes_.end()) {
    if (shapes_.size() >= kMostShapes) {
      shapes_.erase(std::min_element(
          shapes_.begin(), shapes_.end(),
          [](const auto& a, const auto& b) { return a.second.asked < b.second.asked; }));
    }
    Shape shape;
    for (const std::string& name : kinds_) shape.kinds.push_back(IsOfKind({"", name, 0}, kind));
    shape.parts.resize(shelves_.size());
    shape.rack_room.resize(racks_.size());
    found = shapes_.emplace(std::move(key), std::move(shape)).first;
  }
  found->second.asked = ++asked_;
  return found->second;
}

uint32_t RoomIndex::RoomOn(const Summary& summary, const PendingJob& job, Extent extent,
                           const Shape& shape) const {
  size_t in = Of(extent);
  if (summary.cpus[in] < int64_t{job.cpus}) return 0;
  uint64_t room = job.ranks;
  if (job.cpus > 0) room = std::min(room, static_cast<uint64_t>(summary.cpus[in]) / job.cpus);
  if (job.memory > 0) {
    if (summary.memory[in] < job.memory) return 0;
    room = std::min(room, static_cast<uint64_t>(summary.memory[in] / job.memory));
  }
  if (job.gpus > 0 && room > 0) {
    uint64_t gpus = 0;
    for (const KindCount& count : summary.kinds) gpus += shape.kinds[count.kind] ? count.in[in] : 0;
    room = std::min(room, gpus / job.gpus);
  }
  return static_cast<uint32_t>(room);
}

void RoomIndex::Look(const PendingJob& job, Extent extent, Shape* shape, size_t shelf) {
  Part& part = shape->parts[shelf];
  uint64_t before = 0, now = 0;
  for (const Spot& spot : part.spots) before += job.ranks - spot.missing;
  part.version = shelves_[shelf].version;
  part.alone.reset();
  part.largest = 0;
  part.spots.clear();
  for (const Summary& summary : shelves_[shelf].nodes) {
    if (extent == Extent::kFree && !summary.usable) continue;
    uint32_t room = RoomOn(summary, job, extent, *shape);
    if (room == 0 || !HasLabels(*summary.node, job)) continue;
    int64_t left = job.gpus > 0 ? int64_t{summary.gpus[0]} : summary.node->cpus_free;
    Spot spot{job.gpus == 0 && summary.gpus[1] > 0, job.ranks - room, left, summary.order,
              &summary};
    if (room == job.ranks && (!part.alone || spot < *part.alone)) part.alone = spot;
    if (job.ranks == 1) continue;
    part.spots.push_back(spot);
    part.largest = std::max(part.largest, room);
    now += room;
  }
  std::sort(part.spots.begin(), part.spots.end());
  shape->rack_room[shelves_[shelf].rack] += now - before;
  shape->room += now - before;
}

std::vector<NodeShare> RoomIndex::Fit(const Nodes& nodes, const PendingJob& job,
                                      const std::string& kind, Extent extent) {
  Refresh(nodes);
  Shape& shape = ShapeOf(job, kind, extent);
  const Spot* alone = nullptr;
  for (size_t i = 0; i < shelves_.size(); ++i) {
    Part& part = shape.parts[i];
    if (part.version != shelves_[i].version) Look(job, extent, &shape, i);
    if (part.alone && (alone == nullptr || *part.alone < *alone)) alone = &*part.alone;
  }
  if (alone != nullptr) return {{alone->at->id, alone->at->node, job.ranks}};
  if (shape.room < job.ranks || job.within == Within::kMachine) return {};
  std::vector<NodeShare> rack = InOneRack(job, shape);
  return rack.empty() && job.within == Within::kFleet ? OverRacks(job, shape) : rack;
}

std::vector<NodeShare> RoomIndex::InOneRack(const PendingJob& job, const Shape& shape) const {
  const Rack* best = nullptr;
  uint64_t best_room = 0;
  for (size_t i = 0; i < racks_.size(); ++i) {
    const uint64_t room = shape.rack_room[i];
    if (racks_[i].name.empty() || room < job.ranks) continue;
    if (best != nullptr && room > best_room) continue;
    const bool as_full = best != nullptr && room == best_room;
    if (as_full && CountMachines(job, shape, racks_[i]) >= CountMachines(job, shape, *best))
      continue;
    best = &racks_[i];
    best_room = room;
  }
  if (best == nullptr) return {};
  std::vector<size_t> shelves;
  for (size_t i = best->first; i < best->end; ++i) shelves.push_back(i);
  return Spread(job, shape, shelves);
}

std::vector<NodeShare> RoomIndex::OverRacks(const PendingJob& job, const Shape& shape) const {
  std::vector<std::pair<uint64_t, uint32_t>> rooms;  // by rack: for the gang, and on one node
  std::vector<size_t> roomiest;
  for (size_t i = 0; i < racks_.size(); ++i) {
    uint32_t largest = 0;
    for (size_t shelf = racks_[i].first; shelf < racks_[i].end; ++shelf) {
      largest = std::max(largest, shape.parts[shelf].largest);
    }
    rooms.push_back({shape.rack_room[i], largest});
    roomiest.push_back(i);
  }
  std::stable_sort(roomiest.begin(), roomiest.end(),
                   [&](size_t a, size_t b) { return rooms[a] > rooms[b]; });
  std::vector<size_t> shelves;
  uint64_t room = 0;
  for (size_t i : roomiest) {
    for (size_t shelf = racks_[i].first; shelf < racks_[i].end; ++shelf) shelves.push_back(shelf);
    room += rooms[i].first;
    if (room >= job.ranks) break;
  }
  return RackByRack(Spread(job, shape, shelves));
}

// The best spot of these shelves that is not used yet; null: there is none.
const RoomIndex::Spot* RoomIndex::NextSpot(const Shape& shape, const std::vector<size_t>& shelves,
                                           std::vector<size_t>* used) {
  const Spot* next = nullptr;
  size_t from = 0;
  for (size_t i = 0; i < shelves.size(); ++i) {
    const std::vector<Spot>& spots = shape.parts[shelves[i]].spots;
    const size_t at = (*used)[i];
    if (at == spots.size() || (next != nullptr && !(spots[at] < *next))) continue;
    next = &spots[at];
    from = i;
  }
  if (next != nullptr) ++(*used)[from];
  return next;
}

// That Spread would choose in this rack, which has room for the gang.
size_t RoomIndex::CountMachines(const PendingJob& job, const Shape& shape, const Rack& rack) {
  std::vector<size_t> shelves, used;
  const bool one = rack.end - rack.first == 1;
  for (size_t i = rack.first; i < rack.end && !one; ++i) shelves.push_back(i);
  used.resize(shelves.size());
  uint32_t ranks = job.ranks;
  for (size_t count = 0;; ++count) {
    const Spot* next =
        one ? &shape.parts[rack.first].spots[count] : NextSpot(shape, shelves, &used);
    const uint32_t room = job.ranks - next->missing;
    if (room >= ranks) return count + 1;
    ranks -= room;
  }
}

// As Spread in gang_fit.cc, over the sorted spots of these shelves.
std::vector<NodeShare> RoomIndex::Spread(const PendingJob& job, const Shape& shape,
                                         const std::vector<size_t>& shelves) {
  std::vector<NodeShare> chosen;
  std::vector<size_t> used(shelves.size());
  uint32_t ranks = job.ranks;
  auto use = [&](const Spot& spot, uint32_t count) {
    chosen.push_back({spot.at->id, spot.at->node, count});
    ranks -= count;
  };
  std::vector<size_t> before;
  const Spot* next = nullptr;
  while (ranks > 0) {
    before = used;
    next = NextSpot(shape, shelves, &used);
    if (next == nullptr) return chosen;
    if (job.ranks - next->missing > ranks) break;
    use(*next, job.ranks - next->missing);
  }
  if (ranks == 0) return chosen;
  // The one that it leaves the least of.
  for (size_t i = 0; i < shelves.size() && !chosen.empty(); ++i) {
    const std::vector<Spot>& spots = shape.parts[shelves[i]].spots;
    for (size_t at = before[i]; at < spots.size(); ++at) {
      uint32_t room = job.ranks - spots[at].missing, least = job.ranks - next->missing;
      if (room < ranks || room > least) continue;
      if (room < least || spots[at] < *next) next = &spots[at];
    }
  }
  use(*next, ranks);
  return chosen;
}

}  // namespace coxswain::coordinator::core
