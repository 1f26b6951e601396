#include "trainer/task/text_checker.h"

#include "common/config/transformer.h"
#include "trainer/engine/pretrained/model_folder.h"
#include "trainer/state/transformer_list.h"
#include "trainer/task/own_model_checker.h"
#include "trainer/text/job_text.h"

namespace coxswain::trainer::task {

absl::StatusOr<TextCheck> CheckTextJob(config::JobSpec spec, const blob::StoreSettings& settings) {
  auto model = pretrained::ResolveModel(spec.model, settings);
  if (!model.ok()) return model.status();
  spec.model = *std::move(model);
  auto text = text::CheckJobText(spec.data, settings);
  if (!text.ok()) return text.status();
  const config::TextShape shape{spec.data.text.sequence_length, text->vocabulary};
  if (spec.model.IsOwn()) {
    auto list = CheckOwnModel(spec, SamplesOf(shape), settings);
    if (!list.ok()) return list.status();
    return TextCheck{text->samples, text->evaluate_samples, *std::move(list)};
  }
  if (std::string wrong = config::WrongTransformer(spec.model, shape); !wrong.empty()) {
    return absl::InvalidArgumentError(wrong);
  }
  TextCheck out{text->samples, text->evaluate_samples, state::ListState(spec, shape)};
  if (spec.model.from.empty()) return out;
  const bool float64 = spec.train.precision == config::Precision::kFloat64;
  absl::Status weights = pretrained::CheckWeights(
      spec.model.from,
      state::TransformerParameters(
          spec.model.recipe,
          config::ResolvedTransformer(spec.model, shape.sequence, shape.vocabulary),
          float64 ? blob::DType::kFloat64 : blob::DType::kFloat32),
      settings);
  if (!weights.ok()) return weights;
  return out;
}

}  // namespace coxswain::trainer::task
