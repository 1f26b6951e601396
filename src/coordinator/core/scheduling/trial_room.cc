#include "coordinator/core/scheduling/trial_room.h"

#include <algorithm>
#include <tuple>

namespace coxswain::coordinator::core {
namespace {

// So many ranks are tried elsewhere: a plan is to be made in less than a tenth of a second.
constexpr size_t kMostMoved = 20'000;

int64_t FreeOn(const NodeCapacity& node, bool gpus) {
  if (!gpus) return node.cpus_free;
  return std::count_if(node.gpus.begin(), node.gpus.end(),
                       [](const GpuSlot& gpu) { return gpu.taken == 0; });
}

std::optional<Holding> Take(PlacementView* view, const PendingJob& needs) {
  const GangFit fit = FitGang(*view, needs, Extent::kFree);
  if (fit.shares.empty()) return std::nullopt;
  return Holding{TakeSlots(view, needs, fit).ranks, needs.cpus, needs.memory};
}

void Exchange(PlacementView* view, Holding* has, Holding by) {
  Occupy(view, *has, -1);
  *has = std::move(by);
  Occupy(view, *has, 1);
}

// Somebody else holds some of what it holds on this node.
bool IsShared(const PlacementView& view, const Holding& holding, const NodeId& id) {
  auto found = view.find(id);
  if (found == view.end()) return true;
  const NodeCapacity& node = found->second;
  if (node.cpus_free < 0 || (holding.memory > 0 && node.memory_free < 0)) return true;
  return std::any_of(holding.ranks.begin(), holding.ranks.end(), [&](const RankSlot& slot) {
    if (slot.node != id) return false;
    return std::any_of(node.gpus.begin(), node.gpus.end(), [&](const GpuSlot& gpu) {
      const auto& mine = slot.gpu_uuids;
      return gpu.taken > 1 && std::find(mine.begin(), mine.end(), gpu.uuid) != mine.end();
    });
  });
}

// Takes it, if nobody holds any of it.
bool TakeAgain(PlacementView* view, const Holding& holding) {
  Occupy(view, holding, 1);
  const bool free =
      std::none_of(holding.ranks.begin(), holding.ranks.end(),
                   [&](const RankSlot& slot) { return IsShared(*view, holding, slot.node); });
  if (!free) Occupy(view, holding, -1);
  return free;
}

}  // namespace

TrialRoom::~TrialRoom() {
  for (auto& [id, spot] : spots_) {
    if (spot.stays) continue;
    Occupy(fleet_, spot.now, -1);
    if (spot.was != nullptr) Occupy(fleet_, *spot.was, 1);
  }
  for (const Holding& each : let_go_) Occupy(fleet_, each, 1);
}

void TrialRoom::LetGo(Holding held) {
  Occupy(fleet_, held, -1);
  let_go_.push_back(std::move(held));
}

void TrialRoom::Add(const PendingJob& least, const Holding& held) {
  spots_[least.id] = {.needs = least, .was = &held, .stays = true};
}

bool TrialRoom::Place(const PendingJob& needs) {
  std::optional<Holding> taken = Take(fleet_, needs);
  if (!taken) return false;
  if (then_) Occupy(&*then_, *taken, 1);
  spots_[needs.id] = {.needs = needs, .now = *std::move(taken)};
  return true;
}

bool TrialRoom::PlaceByShrinking(const PendingJob& needs) {
  if (!then_) ShrinkAll();
  Spot spot{.needs = needs};
  if (std::optional<Holding> taken = Take(&*then_, needs)) {
    spot.now = *std::move(taken);
  } else if (!PlaceByMoving(needs, &spot)) {
    return false;
  }
  Occupy(fleet_, spot.now, 1);
  ClearTheWay(spot.now);
  spots_[needs.id] = std::move(spot);
  return true;
}

void TrialRoom::ShrinkAll() {
  then_.emplace(*fleet_);
  for (auto& [id, spot] : spots_) {
    if (!spot.Shrinks()) continue;
    Occupy(&*then_, *spot.was, -1);
    spot.least = LeastOf(spot);
    Occupy(&*then_, spot.least, 1);
    for (const RankSlot& slot : spot.was->ranks) {
      std::vector<Spot*>& here = by_node_[slot.node];
      if (here.empty() || here.back() != &spot) here.push_back(&spot);
    }
  }
}

// On as few of its nodes as will do, the fullest: that is where it would start again.
Holding TrialRoom::LeastOf(const Spot& spot) const {
  std::map<NodeId, std::vector<const RankSlot*>> by_node;
  for (const RankSlot& slot : spot.was->ranks) by_node[slot.node].push_back(&slot);
  using Choice = std::tuple<bool, int64_t, NodeId>;
  std::vector<Choice> order;
  for (const auto& [node, slots] : by_node) {
    const bool whole = slots.size() >= spot.needs.ranks;
    auto found = then_->find(node);
    const int64_t free = found == then_->end() ? 0 : FreeOn(found->second, spot.needs.gpus > 0);
    order.push_back({!whole, whole ? free : -static_cast<int64_t>(slots.size()), node});
  }
  std::sort(order.begin(), order.end());
  Holding least{{}, spot.was->cpus, spot.was->memory};
  for (const auto& [part, rating, node] : order) {
    for (const RankSlot* slot : by_node[node]) {
      if (least.ranks.size() == spot.needs.ranks) return least;
      least.ranks.push_back(*slot);
    }
  }
  return least;
}

bool TrialRoom::PlaceByMoving(const PendingJob& needs, Spot* spot) {
  std::vector<std::pair<Spot*, Holding>> others;  // and where they were
  for (auto& [id, each] : spots_) {
    if (!each.Shrinks()) continue;
    work_ += each.needs.ranks;
    others.push_back({&each, each.least});
  }
  if (work_ > kMostMoved) return false;
  for (auto& [each, least] : others) Exchange(&*then_, &each->least, {});
  std::optional<Holding> taken = Take(&*then_, needs);
  bool all = taken.has_value();
  std::vector<Spot*> homeless;
  for (auto& [each, least] : others) {
    if (all && TakeAgain(&*then_, least)) {
      each->least = least;
    } else {
      homeless.push_back(each);
    }
  }
  for (Spot* each : homeless) {
    std::optional<Holding> found = all ? Take(&*then_, each->needs) : std::nullopt;
    if ((all = found.has_value())) each->least = *std::move(found);
  }
  if (!all) {
    if (taken) Occupy(&*then_, *taken, -1);
    for (auto& [each, least] : others) Exchange(&*then_, &each->least, std::move(least));
    return false;
  }
  for (Spot* each : homeless) {
    PutOutOfTheWay(each);
    ClearTheWay(each->now);
  }
  spot->now = *std::move(taken);
  return true;
}

// As in then_, where nobody is in anybody's way.
void TrialRoom::ClearTheWay(const Holding& holding) {
  for (const RankSlot& slot : holding.ranks) {
    auto here = by_node_.find(slot.node);
    if (here == by_node_.end()) continue;
    for (Spot* each : here->second) {
      if (!each->in_the_way && IsShared(*fleet_, each->Has(), slot.node)) PutOutOfTheWay(each);
    }
  }
}

void TrialRoom::PutOutOfTheWay(Spot* spot) {
  Occupy(fleet_, spot->Has(), -1);
  spot->in_the_way = true;
  spot->stays = false;
  spot->now = spot->least;
  Occupy(fleet_, spot->now, 1);
}

bool TrialRoom::IsInTheWay(JobId job) const {
  auto found = spots_.find(job);
  return found != spots_.end() && found->second.in_the_way;
}

bool TrialRoom::Resize(JobId job, uint32_t ranks) {
  auto found = spots_.find(job);
  if (found == spots_.end()) return false;
  Spot& spot = found->second;
  // One that runs keeps all of its slots until it lets go of them.
  const bool may_stay = spot.was != nullptr && !spot.in_the_way && ranks <= spot.was->ranks.size();
  if (may_stay && spot.stays) return true;
  const Holding before = spot.Has();
  Occupy(fleet_, before, -1);
  if (may_stay && TakeAgain(fleet_, *spot.was)) {
    spot.stays = true;
    return true;
  }
  PendingJob needs = spot.needs;
  needs.ranks = ranks;
  std::optional<Holding> taken = Take(fleet_, needs);
  if (!taken) {
    Occupy(fleet_, before, 1);
    return false;
  }
  spot.stays = false;
  spot.now = *std::move(taken);
  return true;
}

}  // namespace coxswain::coordinator::core
