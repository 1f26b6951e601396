// What Hugging Face's config.json says of a gpt (GPT2LMHeadModel), llama (LlamaForCausalLM) or
// resnet (ResNetForImageClassification).
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/config/job_spec.h"

namespace coxswain::trainer::pretrained {

// `model` with the shapes of the file. INVALID_ARGUMENT: another kind of model than its recipe, or
// one with parts that the recipe lacks; says what was found and expected. Of a resnet our own file
// does too, for the small stem.
absl::StatusOr<config::Model> WithShapesOf(const config::Model& model, const std::string& json);

// JSON members that `transformers` reads, of a resolved model; `end_of_text` below 0: none.
std::string HfConfig(const config::Model& model, bool float64, int64_t end_of_text);

// Likewise, of a resnet with the usual stem (ResNetForImageClassification).
std::string HfResNetConfig(const config::Model& model, bool float64, int64_t image_channels,
                           int64_t classes);

}  // namespace coxswain::trainer::pretrained
