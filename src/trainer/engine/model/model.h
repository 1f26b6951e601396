// A network by recipe: named parameters and buffers, and its forward pass.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/config/job_spec.h"
#include "trainer/engine/data/dataset.h"
#include "trainer/engine/model/batch_norm.h"

namespace coxswain::trainer::engine {

struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};

// What goes into a model: rows of SampleShape. A tensor that the shape has no use for is undefined.
struct Inputs {
  at::Tensor dense;  // (rows, ...SampleShape::dense), of the model's precision
  at::Tensor ids;    // (rows, SampleShape::ids_size()), int64
};

// One forward pass over one canonical micro-batch (or, without batch norm, any batch).
struct ForwardPass {
  bool training = false;
  uint64_t seed = 0;
  int64_t position = 0;  // absolute, of the first row: keys its dropout mask
  // Training with batch norm: per layer mean and unbiased variance of this micro-batch are added
  // here, times the number of rows. Laid out as Model::statistics_size says. Null: not wanted.
  double* statistics = nullptr;
  // Of a pass that is recorded (training/recorded.cc), in which nothing may come from or go to the
  // machine's own memory: instead of `position` a tensor of one int64, instead of `statistics`
  // what they are made of.
  at::Tensor first;
  std::vector<BatchMoments>* moments = nullptr;
};

class Model {
 public:
  virtual ~Model() = default;
  // Returns logits (rows, classes); of a text (rows, sequence, vocabulary); (rows, 1) where the
  // target is a number.
  virtual at::Tensor Forward(const Inputs& inputs, const ForwardPass& pass) = 0;

  // `group_failed`: whether what is thrown may be the other ranks' doing, whose gradients are
  // summed meanwhile.
  virtual void Backward(const at::Tensor& loss, const std::function<bool()>& group_failed);

  const std::vector<NamedTensor>& parameters() const { return parameters_; }
  const std::vector<NamedTensor>& buffers() const { return buffers_; }
  // Doubles that ForwardPass::statistics holds.
  size_t statistics_size() const { return statistics_size_; }
  // Of layers that write gradients where the last step's were (linear.h): before gradients are
  // reset, and when the group with its buckets has gone.
  virtual void KeepGradientMemory() {}
  virtual void DropGradientMemory() {}
  // The whole model as a file of its own kind, where it has one; otherwise empty.
  virtual std::string Serialized() const { return ""; }
  // Moves the running statistics: new = old + momentum * (sums / rows - old).
  virtual void UpdateStatistics(const double* sums, double rows) {
    for (BatchNorm& norm : norms_) norm.UpdateStatistics(sums, rows);
  }

 protected:
  at::Tensor AddParameter(std::string name, at::Tensor value);
  at::Tensor AddBuffer(std::string name, at::Tensor value);
  // Parameters `name`.weight and .bias, buffers .running_mean and .running_var. The model's.
  const BatchNorm* AddBatchNorm(const std::string& name, int64_t channels, at::ScalarType dtype);
  void SetStatisticsSize(size_t size) { statistics_size_ = size; }

 private:
  std::vector<NamedTensor> parameters_, buffers_;
  std::deque<BatchNorm> norms_;
  size_t statistics_size_ = 0;
};

// INVALID_ARGUMENT cases are found by the caller (CheckModel) before this is called; a user's own
// model throws a UserError. All parameters of a recipe come from `seed`: U(-1/sqrt(fan_in),
// 1/sqrt(fan_in)), as PyTorch's Linear and Conv2d have by default. `file`: the bytes of
// model.module or model.plugin.
std::unique_ptr<Model> MakeModel(const config::Model& recipe, const data::SampleShape& sample,
                                 at::ScalarType dtype, uint64_t seed, const std::string& file = "");

// Empty if the recipe fits the samples; otherwise what is wrong ("model.channels: 5 pools ...").
std::string CheckModel(const config::Model& recipe, const data::SampleShape& sample);

}  // namespace coxswain::trainer::engine
