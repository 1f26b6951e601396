#include "trainer/task/image_model_checker.h"

#include "trainer/engine/pretrained/model_folder.h"
#include "trainer/state/resnet_list.h"
#include "trainer/task/own_model_checker.h"

namespace coxswain::trainer::task {

absl::StatusOr<state::StateList> CheckImageModel(config::JobSpec spec,
                                                 const state::ImageShape& image,
                                                 const blob::StoreSettings& settings) {
  if (spec.model.IsOwn()) {
    return CheckOwnModel(spec, SamplesOf(image, spec.data.classes), settings);
  }
  auto model = pretrained::ResolveModel(spec.model, settings);
  if (!model.ok()) return model.status();
  spec.model = *std::move(model);
  if (spec.model.from.empty()) return state::ListState(spec, image);
  const bool float64 = spec.train.precision == config::Precision::kFloat64;
  state::ResNetTensors tensors =
      state::ListResNet(spec.model, image.channels, spec.data.classes,
                        float64 ? blob::DType::kFloat64 : blob::DType::kFloat32);
  std::vector<blob::TensorInfo> wanted = std::move(tensors.parameters);
  wanted.insert(wanted.end(), tensors.buffers.begin(), tensors.buffers.end());
  absl::Status weights = pretrained::CheckWeights(
      spec.model.from, pretrained::WithoutNewHead(spec.model, std::move(wanted)), settings);
  if (!weights.ok()) return weights;
  return state::ListState(spec, image);
}

}  // namespace coxswain::trainer::task
