// Activation checkpointing (Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost): of a
// part of the network only what goes in is kept, and backward runs the part again for the rest.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

namespace coxswain::trainer::engine {

// What `part` makes of x; the same bits, gradients too. `part` is kept until backward has run, and
// is called there once more, in the mixed precision of now: it may depend on nothing that changes
// meanwhile, so random numbers have to be keyed (layers.h). Without gradients: just part(x).
at::Tensor Recomputed(const at::Tensor& x, std::function<at::Tensor(const at::Tensor&)> part);

}  // namespace coxswain::trainer::engine
