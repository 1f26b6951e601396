// Pieces that recipes share.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/TensorOptions.h>

#include <cstdint>

#include "common/base/rng.h"

namespace coxswain::trainer::engine {

struct ForwardPass;

// U(-bound, bound), bound = 1 / sqrt(fan_in).
at::Tensor UniformByFanIn(at::IntArrayRef shape, int64_t fan_in, at::ScalarType dtype,
                          base::Rng& rng);

// Normal, mean 0 (Box and Muller 1958).
at::Tensor NormalValues(at::IntArrayRef shape, double std, at::ScalarType dtype, base::Rng& rng);

// That mask by whole tensors, for devices where no loop over numbers runs: 0, or 1 / `keep`, of
// `type`. The same as KeyedDropout's on a CPU. `positions`: of each row, int64.
at::Tensor KeyedMask(const at::Tensor& positions, int64_t features, double keep, uint64_t seed,
                     at::ScalarType type);

// Dropout whose mask is keyed by (seed, sample position, feature), so that it does not depend on
// how a batch is divided. `x`: (rows, features); `pass`: has the seed and the first row's position.
at::Tensor KeyedDropout(const at::Tensor& x, double probability, uint64_t seed,
                        const ForwardPass& pass);

}  // namespace coxswain::trainer::engine
