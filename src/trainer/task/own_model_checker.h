// Does a model that a user brings along load, and does it fit the job's samples? The one check that
// needs LibTorch: the engine's module is loaded for it.
#pragma once

#include "absl/status/statusor.h"
#include "common/config/job_spec.h"
#include "trainer/blob/blob_store.h"
#include "trainer/engine/data/dataset.h"
#include "trainer/state/state_list.h"

namespace coxswain::trainer::task {

// The state of such a job. `samples.classes` may be engine::kAnyClasses. Errors begin with the key.
absl::StatusOr<state::StateList> CheckOwnModel(const config::JobSpec& spec,
                                               const data::SampleShape& samples,
                                               const blob::StoreSettings& settings);

// The shapes that such a model has to fit, of each kind of data.
data::SampleShape SamplesOf(const state::ImageShape& image, int64_t classes);
data::SampleShape SamplesOf(const state::TableShape& table, bool classes);
data::SampleShape SamplesOf(const config::TextShape& text);

}  // namespace coxswain::trainer::task
