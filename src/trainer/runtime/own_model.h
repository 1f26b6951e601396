// The file of a model that a user brings along (spec.model.module, spec.model.plugin).
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/config/job_spec.h"
#include "trainer/blob/blob_store.h"

namespace coxswain::trainer {

// Null: the model is a recipe. Errors begin with the key.
absl::StatusOr<std::shared_ptr<const std::string>> ReadOwnModel(
    const config::Model& model, const blob::StoreSettings& settings);

}  // namespace coxswain::trainer
