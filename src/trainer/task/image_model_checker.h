// Can a job that trains on images begin with its model, and what is its state?
#pragma once

#include "absl/status/statusor.h"
#include "common/config/job_spec.h"
#include "trainer/blob/blob_store.h"
#include "trainer/state/state_list.h"

namespace coxswain::trainer::task {

// Looks at the folder that a resnet begins with, at the file of a user's own model. Errors begin
// with the key.
absl::StatusOr<state::StateList> CheckImageModel(config::JobSpec spec,
                                                 const state::ImageShape& image,
                                                 const blob::StoreSettings& settings);

}  // namespace coxswain::trainer::task
