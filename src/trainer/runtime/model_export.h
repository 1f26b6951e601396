// The final model: model.safetensors and config.json in one folder, and of text tokenizer.json.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/protocol/trainer_messages.h"
#include "trainer/blob/blob_store.h"
#include "trainer/engine/engine.h"

namespace coxswain::trainer {

// Writes all of it below `store`/`folder` ("CLUSTER/j12/model"); the same model gives the same
// bytes, so that a repetition does no harm. Returns the folder's URI. Retries by
// `settings.patience`.
absl::StatusOr<std::string> ExportModel(engine::Engine& engine, const std::string& tokenizer_json,
                                        const std::string& store, const std::string& folder,
                                        const blob::StoreSettings& settings);

// The same of the model in a checkpoint of this job.
absl::StatusOr<std::string> ExportBest(engine::Engine& engine,
                                       const protocol::RestoreCandidate& checkpoint,
                                       const std::string& tokenizer_json, const std::string& store,
                                       const std::string& folder,
                                       const blob::StoreSettings& settings);

}  // namespace coxswain::trainer
