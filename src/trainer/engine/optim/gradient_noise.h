// The gradient noise scale B = tr(cov of one sample's gradient) / |mean gradient|^2, in samples:
// "simple" in McCandlish et al. 2018, An Empirical Model of Large-Batch Training. Pure.
//
// From one batch whose gradient is known as a whole and in pieces (appendix A.1 has two sizes of
// batches; here pieces may be of unequal size): with S_p the sum of the gradients of piece p's b_p
// samples and S the sum over all n samples, and G the true mean gradient,
//   E sum |S_p|^2 = |G|^2 sum b_p^2 + tr(cov) sum b_p    and    E |S|^2 = |G|^2 n^2 + tr(cov) n,
// which are solved for |G|^2 and tr(cov) without bias. Each is averaged before they are divided.
#pragma once

#include <cstdint>

#include "trainer/engine/engine.h"

namespace coxswain::trainer::engine {

// One batch. Gradients are sums over samples, not means.
struct NoiseMeasurement {
  double pieces = 0;          // sum of the pieces' squared norms
  int64_t piece_samples = 0;  // in all pieces; they need not be the whole batch
  double piece_squares = 0;   // sum of the squares of their sizes
  double whole = 0;           // squared norm of the batch's
  int64_t samples = 0;        // of the batch
};

class GradientNoise {
 public:
  // Leaves out what tells nothing (one piece that is the whole batch) or is no number.
  void Add(const NoiseMeasurement& measured);
  // In samples, 1e-3 to 1e9; 0: not known, for want of measurements.
  double scale() const;

  const NoiseAverages& averages() const { return averages_; }
  void Set(const NoiseAverages& averages) { averages_ = averages; }

 private:
  NoiseAverages averages_;
};

// By what a learning rate meant for batches of `reference` is multiplied for `batch`. SGD:
// AdaScale's gain (batch / reference) (noise + reference) / (noise + batch), Johnson et al. 2020;
// adamw: its square root, as AdaptDL has it (Qiao et al. 2021, Pollux). 1 while the noise is not
// known (0).
double LearningRateGain(config::OptimizerName optimizer, int64_t batch, int64_t reference,
                        double noise);

}  // namespace coxswain::trainer::engine
