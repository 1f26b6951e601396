// A folder with config.json and model.safetensors, as Hugging Face's libraries write it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/job_spec.h"
#include "trainer/blob/blob_store.h"
#include "trainer/blob/tensor_info.h"

namespace coxswain::trainer::pretrained {

// `model` with the shapes that the folder's config.json gives (`model.from`); itself, if it begins
// afresh. INVALID_ARGUMENT: not such a model; NOT_FOUND and so on: the folder.
absl::StatusOr<config::Model> ResolveModel(const config::Model& model,
                                           const blob::StoreSettings& settings);

// Weights in host memory, as the job needs them.
struct Weights {
  std::vector<blob::TensorInfo> tensors;
  std::vector<std::unique_ptr<char[]>> data;  // by tensor
};

// What such a job reads of its model's tensors: all, or all but a resnet's head that begins anew.
std::vector<blob::TensorInfo> WithoutNewHead(const config::Model& model,
                                             std::vector<blob::TensorInfo> tensors);

// Reads exactly `wanted`: names of the job's model (what the folder calls otherwise is found),
// shapes and precision; 16-, 32- and 64-bit floats are converted. INVALID_ARGUMENT: one is missing,
// has another shape, or something is left over that the model has no place for.
absl::StatusOr<Weights> ReadWeights(const std::string& folder, std::vector<blob::TensorInfo> wanted,
                                    const blob::StoreSettings& settings);
// The same without the data: is everything there?
absl::Status CheckWeights(const std::string& folder, const std::vector<blob::TensorInfo>& wanted,
                          const blob::StoreSettings& settings);

}  // namespace coxswain::trainer::pretrained
