// The parameters and buffers of a resnet, as engine/model/resnet.cc adds them.
#pragma once

#include <vector>

#include "common/config/job_spec.h"
#include "trainer/blob/tensor_info.h"

namespace coxswain::trainer::state {

struct ResNetTensors {
  std::vector<blob::TensorInfo> parameters, buffers;
};

ResNetTensors ListResNet(const config::Model& model, int64_t image_channels, int64_t classes,
                         blob::DType dtype);

}  // namespace coxswain::trainer::state
