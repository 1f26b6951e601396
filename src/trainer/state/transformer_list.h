// The parameters of a gpt or llama, as engine/model/gpt.cc and llama.cc add them.
#pragma once

#include <vector>

#include "common/config/job_spec.h"
#include "trainer/blob/tensor_info.h"

namespace coxswain::trainer::state {

// `shape` is resolved (common/config/transformer.h).
std::vector<blob::TensorInfo> TransformerParameters(config::Recipe recipe,
                                                    const config::Transformer& shape,
                                                    blob::DType dtype);

}  // namespace coxswain::trainer::state
