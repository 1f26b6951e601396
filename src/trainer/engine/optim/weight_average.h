// An exponential moving average of a model's parameters and buffers, for evaluation and export:
// after step t average = d average + (1 - d) weights; d is the decay, with a warm-up at most
// (1 + t) / (10 + t). It begins as the weights after the first step (torch.optim.swa_utils'
// AveragedModel). Whole numbers (a count of batches) are not averaged but copied. Its tensors
// belong to the checkpoint.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <exception>
#include <vector>

#include "common/config/job_spec.h"
#include "trainer/engine/model/model.h"

namespace coxswain::trainer::engine {

class WeightAverage {
 public:
  // `tensors`: those of the model, whose memory it reads from then on. Begins as they are.
  WeightAverage(const config::Ema& settings, const std::vector<NamedTensor>& tensors);

  // After the update `step` (1-based): one pass over the weights.
  void Update(int64_t step);
  // The weights as they are now.
  void Restart();
  // The model's tensors hold the average, and this the weights; once more, and all is as before.
  // Needs no memory but `scratch`, as Scratch gives it.
  void Swap(const at::Tensor& scratch);
  at::Tensor Scratch() const;  // as large as the largest tensor

  // "ema.<tensor>", in the order of the model's.
  const std::vector<NamedTensor>& state() const { return state_; }

 private:
  const config::Ema settings_;
  std::vector<at::Tensor> weights_, averages_;
  std::vector<at::Tensor> numbers_, average_numbers_;  // of those the ones that are averaged
  std::vector<NamedTensor> state_;
};

// While it lives the model is the average, if there is one.
class AverageInPlace {
 public:
  explicit AverageInPlace(WeightAverage* average) : average_(average) {
    if (average_ == nullptr) return;
    scratch_ = average_->Scratch();
    average_->Swap(scratch_);
  }
  // After a want of memory too: nothing is allocated.
  ~AverageInPlace() {
    try {
      if (average_ != nullptr) average_->Swap(scratch_);
    } catch (const std::exception&) {  // the GPU is lost, and the process ends for it
    }
  }
  AverageInPlace(const AverageInPlace&) = delete;
  AverageInPlace& operator=(const AverageInPlace&) = delete;

 private:
  WeightAverage* const average_;
  at::Tensor scratch_;
};

}  // namespace coxswain::trainer::engine
