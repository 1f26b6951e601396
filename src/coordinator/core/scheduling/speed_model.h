// How fast a job would go on other numbers of ranks and with other batches, from the steps that
// were measured.
//
// A step takes  fixed + sample * batch / workers + sync  seconds. `sync` is 0 on one rank; on one
// machine, and on several, it is a constant of its own plus a part for each rank above two.
// (Pollux, OSDI'21, with gradients that are summed after they are computed.) The parts are fitted
// to the measured steps, none below 0; of a job that was only seen on one rank, nearly all of the
// step is taken to shrink with the number of ranks.
//
// With a batch B instead of the smallest one B0, a sample is worth (noise + B0) / (noise + B) of
// what it was (McCandlish et al. 2018): goodput is samples per second times that.
#pragma once

#include <array>

#include "coordinator/core/rows.h"

namespace coxswain::coordinator::core {

constexpr size_t kMostStepTimes = 24;

// The newest measurement of a size takes the place of an older one.
void Measure(Speed* speed, const StepTime& step);

struct BatchChoice {
  int64_t batch = 0;   // 0: the job file's, which does not move
  double goodput = 0;  // samples of B0 a second; 0: not known
};

// Fixed, of each sample of a rank, of a sum on one machine, of one between machines, of each rank
// above two.
constexpr size_t kStepParts = 5;
using StepParts = std::array<double, kStepParts>;

class SpeedModel {
 public:
  // `speed` need not outlive it.
  SpeedModel(const Speed& speed, const JobRequest& request);

  bool known() const { return known_; }
  double noise() const { return noise_; }  // of the gradient; 0: not known
  // The numbers of ranks that were measured, ascending.
  const std::vector<uint32_t>& sizes() const { return sizes_; }
  // The largest of them; 0: none.
  uint32_t measured() const { return sizes_.empty() ? 0 : sizes_.back(); }
  double Seconds(uint32_t nodes, uint32_t workers, int64_t batch) const;
  double Goodput(uint32_t nodes, uint32_t workers, int64_t batch) const;
  // The batch of the job's range with the highest goodput.
  BatchChoice Best(uint32_t nodes, uint32_t workers) const;

 private:
  int64_t batch_ = 0, max_batch_ = 0;
  double noise_ = 0;
  bool known_ = false;
  std::vector<uint32_t> sizes_;
  StepParts parts_{};
};

}  // namespace coxswain::coordinator::core
