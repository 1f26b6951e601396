#include "trainer/task/own_model_checker.h"

#include "trainer/runtime/engine_host.h"
#include "trainer/runtime/own_model.h"

namespace coxswain::trainer::task {

absl::StatusOr<state::StateList> CheckOwnModel(const config::JobSpec& spec,
                                               const data::SampleShape& samples,
                                               const blob::StoreSettings& settings) {
  engine::EngineSettings to_engine;
  to_engine.spec = spec;
  auto file = ReadOwnModel(spec.model, settings);
  if (!file.ok()) return file.status();
  to_engine.model_file = *std::move(file);
  auto engine = LoadEngine();
  if (!engine.ok()) return engine.status();
  auto made = (*engine)->Inspect(to_engine, samples);
  if (!made.ok()) return made.status();
  return state::ListState(spec, std::move(made->parameters), std::move(made->buffers));
}

data::SampleShape SamplesOf(const state::ImageShape& image, int64_t classes) {
  data::SampleShape samples;
  samples.dense = {image.channels, image.height, image.width};
  samples.classes = classes;
  return samples;
}

data::SampleShape SamplesOf(const state::TableShape& table, bool classes) {
  data::SampleShape samples;
  if (table.numeric > 0) samples.dense = {table.numeric};
  samples.categories = table.categories;
  samples.classes = classes ? engine::kAnyClasses : 0;
  return samples;
}

data::SampleShape SamplesOf(const config::TextShape& text) {
  data::SampleShape samples;
  samples.sequence = text.sequence;
  samples.vocabulary = text.vocabulary;
  return samples;
}

}  // namespace coxswain::trainer::task
