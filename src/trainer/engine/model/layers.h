// Pieces that recipes share.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/TensorOptions.h>

#include <cstdint>

#include "common/base/rng.h"

namespace coxswain::trainer::engine {

// U(-bound, bound), bound = 1 / sqrt(fan_in).
at::Tensor UniformByFanIn(at::IntArrayRef shape, int64_t fan_in, at::ScalarType dtype,
                          base::Rng& rng);

// Normal, mean 0 (Box and Muller 1958).
at::Tensor NormalValues(at::IntArrayRef shape, double std, at::ScalarType dtype, base::Rng& rng);

// That mask by whole tensors, for devices where no loop over numbers runs: 0, or 1 / `keep`, in
// the type of `options`. The same as KeyedDropout's on a CPU.
at::Tensor KeyedMask(int64_t rows, int64_t features, double keep, uint64_t seed, int64_t position,
                     const at::TensorOptions& options);

// Dropout whose mask is keyed by (seed, sample position, feature), so that it does not depend on
// how a batch is divided. `x`: (rows, features).
at::Tensor KeyedDropout(const at::Tensor& x, double probability, uint64_t seed, int64_t position);

}  // namespace coxswain::trainer::engine
