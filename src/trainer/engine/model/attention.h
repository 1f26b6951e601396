// Attention of every token to itself and those before it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace coxswain::trainer::engine {

// q, k, v: (rows, heads, tokens, width of a head); k and v may have fewer heads, each for as many
// of q's. Gives (rows * tokens, heads * width of a head).
at::Tensor CausalAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

// Positions as rotations (Su et al. 2021), in the order of Hugging Face's Llama: the first half of
// a head's numbers pairs with the second.
class Rotary {
 public:
  Rotary(int64_t head_width, int64_t tokens, double theta, at::ScalarType dtype);
  // x: (rows, heads, tokens, width of a head).
  at::Tensor Turn(const at::Tensor& x) const;

 private:
  mutable at::Tensor cos_, sin_;  // (tokens, width of a head), where the last x was
};

}  // namespace coxswain::trainer::engine
