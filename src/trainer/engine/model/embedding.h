// Tokens to vectors, and (tied) vectors to logits by the same weight.
//
// Made for data parallel training as linear.h: the gradient of the weight is written where the last
// step's was. Tied, both parts of it are summed there: autograd alone would make a tensor of the
// vocabulary's size for each, and one more for their sum.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

namespace coxswain::trainer::engine {

class Embedding {
 public:
  // A parameter that requires gradients: (vocabulary, width).
  explicit Embedding(at::Tensor weight);

  // ids: int64 of any shape; adds the width at the end.
  at::Tensor Forward(const at::Tensor& ids) const;
  // x: (rows, width), made from what Forward gave; gives (rows, vocabulary).
  at::Tensor Logits(const at::Tensor& x) const;

  // As Linear's.
  void KeepGradientMemory();
  void DropGradientMemory();

  // What one step's backward pass knows of the weight's gradient.
  struct Gradient {
    at::Tensor kept;     // memory of the last step's; undefined: none
    at::Tensor pending;  // of the logits, on its way to the weight
  };

 private:
  at::Tensor weight_;
  std::unique_ptr<Gradient> gradient_;
};

}  // namespace coxswain::trainer::engine
