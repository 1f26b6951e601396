// Which steps are measured for the gradient noise scale, and what is known of one until all ranks
// have told their part: a rank's own sum is known only after its control vector has gone, so it
// goes with the next step's.
#pragma once

#include <optional>

#include "trainer/engine/data/sample_order.h"
#include "trainer/engine/optim/gradient_noise.h"

namespace coxswain::trainer::engine {

class NoiseMeter {
 public:
  // `every_steps` 0: never.
  void Start(int64_t every_steps) { every_steps_ = every_steps; }
  // The group has changed: what was measured and not yet told is of no use.
  void Forget() { open_.reset(); }
  // Whether the step after `step` is measured. A rank alone pays more for it (two halves of a
  // batch, and a copy of the gradients), so once something is known it looks less often.
  bool Due(int64_t step, bool alone) const {
    if (every_steps_ == 0) return false;
    return step % (alone && noise_.scale() > 0 ? kAloneFactor * every_steps_ : every_steps_) == 0;
  }

  // Of a step's measurement: everything but the pieces' norms, of which `own` is this rank's.
  void Measured(const NoiseMeasurement& measured, double own) {
    open_ = measured;
    own_ = own;
  }
  // What this rank tells in the next step, and what all of them have told together.
  double own() const { return open_ ? own_ : 0; }
  void Told(double pieces) {
    if (!open_) return;
    open_->pieces = pieces;
    noise_.Add(*open_);
    open_.reset();
  }

  GradientNoise& noise() { return noise_; }
  const GradientNoise& noise() const { return noise_; }

 private:
  static constexpr int64_t kAloneFactor = 4;
  int64_t every_steps_ = 0;
  std::optional<NoiseMeasurement> open_;
  double own_ = 0;
  GradientNoise noise_;
};

}  // namespace coxswain::trainer::engine
