// config.json beside an exported model: enough to build the network and feed it.
#pragma once

#include <string>
#include <vector>

#include "common/config/job_spec.h"
#include "trainer/blob/tensor_info.h"
#include "trainer/engine/model/model.h"

namespace coxswain::trainer::engine {

std::string DescribeModel(const config::JobSpec& spec, const data::Dataset& set,
                          const std::vector<blob::TensorInfo>& tensors, size_t count);

}  // namespace coxswain::trainer::engine
