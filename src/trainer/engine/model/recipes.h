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

// He et al. 2016, with 18, 34 or 50 layers; parameters have the names and shapes of Hugging Face's
// ResNetForImageClassification. A small stem (3x3, no pool) is for images of about 32 pixels.
std::unique_ptr<Model> MakeResNet(const config::Model& recipe, const data::SampleShape& sample,
                                  at::ScalarType dtype, base::Rng& rng);

// GPT-2: learnt positions, layer norm before each part, GELU; parameters have the names and shapes
// of Hugging Face's GPT2LMHeadModel. Attention is not dropped out: its weights are never made.
std::unique_ptr<Model> MakeGpt(const config::Model& recipe, const data::SampleShape& sample,
                               at::ScalarType dtype, base::Rng& rng);

// Llama: RMSNorm, rotary positions, SwiGLU, grouped-query attention; as LlamaForCausalLM.
std::unique_ptr<Model> MakeLlama(const config::Model& recipe, const data::SampleShape& sample,
                                 at::ScalarType dtype, base::Rng& rng);

}  // namespace coxswain::trainer::engine
