#include "trainer/engine/optim/schedule.h"

#include <algorithm>
#include <cmath>

namespace coxswain::trainer::engine {

double LearningRate(const config::Schedule& schedule, double top, int64_t step,
                    int64_t total_steps) {
  if (step <= schedule.warmup_steps) {
    return top * static_cast<double>(step) / static_cast<double>(schedule.warmup_steps);
  }
  int64_t length = std::max<int64_t>(1, total_steps - schedule.warmup_steps);
  double done = static_cast<double>(step - schedule.warmup_steps - 1) /
                static_cast<double>(std::max<int64_t>(1, length - 1));
  done = std::clamp(done, 0.0, 1.0);
  double fraction = 1;
  switch (schedule.name) {
    case config::ScheduleName::kConstant:
      return top;
    case config::ScheduleName::kLinear:
      fraction = 1 - done;
      break;
    case config::ScheduleName::kCosine:
      fraction = (1 + std::cos(done * M_PI)) / 2;
      break;
  }
  return top * (schedule.final_fraction + (1 - schedule.final_fraction) * fraction);
}

}  // namespace coxswain::trainer::engine
