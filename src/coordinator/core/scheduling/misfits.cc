#include "coordinator/core/scheduling/misfits.h"

#include <algorithm>

namespace coxswain::coordinator::core {
namespace {

constexpr size_t kMost = 32;  // kinds of gangs; of more, some are looked at once more

// Nodes that serve one serve the other, and what it asks for is no less.
bool AsksForAsMuch(const PendingJob& one, const PendingJob& other) {
  return one.ranks >= other.ranks && one.cpus >= other.cpus && one.gpus >= other.gpus &&
         one.memory >= other.memory && one.within == other.within && one.only == other.only &&
         one.first == other.first && one.selector == other.selector &&
         one.gpu_kinds == other.gpu_kinds && one.avoid == other.avoid;
}

bool RunsAsLong(std::optional<base::Duration> one, std::optional<base::Duration> other) {
  return !one || (other && *one >= *other);
}

}  // namespace

bool Misfits::Covers(const PendingJob& needs, std::optional<base::Duration> expected) const {
  return std::any_of(known_.begin(), known_.end(), [&](const Misfit& each) {
    return AsksForAsMuch(needs, each.needs) && RunsAsLong(expected, each.expected);
  });
}

void Misfits::Add(PendingJob needs, std::optional<base::Duration> expected) {
  std::erase_if(known_, [&](const Misfit& each) {
    return AsksForAsMuch(each.needs, needs) && RunsAsLong(each.expected, expected);
  });
  if (known_.size() < kMost) known_.push_back({std::move(needs), expected});
}

bool Misfits::CoversPlainly(uint32_t ranks, const Amount& rank) const {
  return std::any_of(plain_.begin(), plain_.end(), [&](const Plain& each) {
    return ranks >= each.ranks && rank.cpus >= each.rank.cpus && rank.gpus >= each.rank.gpus;
  });
}

void Misfits::AddPlain(const PendingJob& needs) {
  const Amount rank{needs.cpus, needs.gpus};
  std::erase_if(plain_, [&](const Plain& each) {
    return each.ranks >= needs.ranks && each.rank.cpus >= rank.cpus && each.rank.gpus >= rank.gpus;
  });
  if (plain_.size() < kMost) plain_.push_back({needs.ranks, rank});
}

}  // namespace coxswain::coordinator::core
