// The recipes; each in a file of its own.
#pragma once

#include "common/base/rng.h"
#include "trainer/engine/model/model.h"

namespace coxswain::trainer::engine {

// An embedding for each categorical column, beside the numbers (flattened); then (linear, ReLU) for
// each of `hidden`, dropout, linear: a logit for each class, or the number.
std::unique_ptr<Model> MakeMlp(const config::Model& recipe, const data::SampleShape& sample,
                               at::ScalarType dtype, base::Rng& rng);

// For each of `channels`: 3x3 convolution, batch norm if asked for, ReLU, and a 2x2 max pool after
// every `pool_every`-th; then the head, which is an mlp.
std::unique_ptr<Model> MakeCnn(const config::Model& recipe, const data::SampleShape& sample,
                               at::ScalarType dtype, base::Rng& rng);

}  // namespace coxswain::trainer::engine
