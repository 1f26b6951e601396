// The small vector that all ranks sum in each step: how the loss is known and decisions are agreed
// upon without a second round trip. Doubles: [loss sum, save, save wanted, stop, stop with save,
// noise, one bit per rank whose loss is not finite (32 to a slot), batch norm sums ...].
#pragma once

#include <cstdint>
#include <vector>

#include "trainer/engine/engine.h"

namespace coxswain::trainer::engine {

class ControlVector {
 public:
  ControlVector(uint32_t world_size, size_t statistics)
      : statistics_at_(kBitsAt + (world_size + 31) / 32), values_(statistics_at_ + statistics) {}

  // This rank's part of a step.
  void Begin(const StepFlags& flags) {
    values_.assign(values_.size(), 0);
    values_[1] = flags.save;
    values_[2] = flags.save_wanted;
    values_[3] = flags.stop;
    values_[4] = flags.stop_with_save;
  }
  // A loss that is not finite would hide the others': it is told by its bit instead.
  void AddLoss(double sum) { values_[0] += sum; }
  void MarkNotFinite(uint32_t rank) { values_[kBitsAt + rank / 32] += uint64_t{1} << rank % 32; }
  // Squared norms of gradients (NoiseMeter).
  void AddNoise(double squares) { values_[5] += squares; }
  double* statistics() { return values_.data() + statistics_at_; }

  // After the sum over all ranks.
  double loss_sum() const { return values_[0]; }
  double noise() const { return values_[5]; }
  StepFlags agreed() const {
    return {values_[1] > 0, values_[2] > 0, values_[3] > 0, values_[4] > 0};
  }
  std::vector<base::Rank> not_finite() const {
    std::vector<base::Rank> ranks;
    for (size_t slot = kBitsAt; slot < statistics_at_; ++slot) {
      auto bits = static_cast<uint64_t>(values_[slot]);
      for (uint32_t bit = 0; bit < 32; ++bit) {
        if (bits >> bit & 1) ranks.push_back(static_cast<uint32_t>(slot - kBitsAt) * 32 + bit);
      }
    }
    return ranks;
  }

  double* data() { return values_.data(); }
  size_t size() const { return values_.size(); }

 private:
  static constexpr size_t kBitsAt = 6;
  const size_t statistics_at_;
  std::vector<double> values_;
};

}  // namespace coxswain::trainer::engine
