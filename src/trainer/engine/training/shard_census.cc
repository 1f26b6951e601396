#include "trainer/engine/training/shard_census.h"

#include <algorithm>

namespace coxswain::trainer::engine {
namespace {

bool OfOneSplit(const ShardPlace& a, const ShardPlace& b) {
  return a.split == b.split && a.parts == b.parts;
}

// The most advanced rank; of equals the first.
uint32_t MostAdvanced(const std::vector<RankStanding>& ranks) {
  uint32_t best = 0;
  for (uint32_t rank = 1; rank < ranks.size(); ++rank) {
    const RankStanding &one = ranks[rank], &other = ranks[best];
    if (!one.has_state) continue;
    const bool better = !other.has_state || one.updated > other.updated ||
                        (one.updated == other.updated && one.stage > other.stage);
    if (better) best = rank;
  }
  return best;
}

}  // namespace

ShardCensus TakeCensus(const std::vector<RankStanding>& ranks) {
  ShardCensus census;
  census.root = MostAdvanced(ranks);
  const RankStanding& root = ranks[census.root];
  if (!root.has_state) return census;
  census.verdict = ShardCensus::Verdict::kLost;
  census.step = root.updated;
  const auto nobody = static_cast<uint32_t>(ranks.size());
  census.holders.assign(root.place.parts, nobody);
  census.done = true;
  for (uint32_t rank = 0; rank < ranks.size(); ++rank) {
    const RankStanding& each = ranks[rank];
    const bool holds = each.place.split != 0 && OfOneSplit(each.place, root.place) &&
                       each.updated + 1 >= census.step;
    const bool before = holds && each.updated < census.step;
    census.behind |= before;
    census.done &= holds && !before && each.stage == UpdateStage::kDone;
    if (holds) census.holders[each.place.part] = rank;
  }
  if (root.place.split == 0 || std::count(census.holders.begin(), census.holders.end(), nobody)) {
    return census;
  }
  // Cannot be: see above. If it is all the same, its gradients are gone.
  const bool has_gradients =
      root.stage == UpdateStage::kUpdated || root.stage == UpdateStage::kAveraged;
  if (census.behind && !has_gradients) return census;
  if (root.stage == UpdateStage::kHelped) return census;  // likewise
  census.verdict = ShardCensus::Verdict::kWhole;
  census.moved = census.holders.size() != ranks.size();
  for (uint32_t part = 0; part < census.holders.size(); ++part) {
    census.moved |= census.holders[part] != part;
  }
  return census;
}

}  // namespace coxswain::trainer::engine
