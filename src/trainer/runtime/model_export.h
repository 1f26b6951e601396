// The final model: model.safetensors and config.json in one folder, and of text tokenizer.json.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/protocol/trainer_messages.h"
#include "trainer/blob/blob_store.h"
#include "trainer/engine/engine.h"

namespace coxswain::trainer {

struct ExportPlace {
  std::string store, folder;  // URI, and what is below it: "CLUSTER/j12/model"
  std::string tokenizer_json{};
  blob::StoreSettings settings{};  // its patience: of the whole export
};

// Writes all of it; the same model gives the same bytes, so that a repetition does no harm. `step`:
// how many batches have trained it. Returns the folder's URI.
absl::StatusOr<std::string> ExportModel(engine::Engine& engine, int64_t step,
                                        const ExportPlace& place);

// The same of the model in a checkpoint of this job.
absl::StatusOr<std::string> ExportBest(engine::Engine& engine,
                                       const protocol::RestoreCandidate& checkpoint,
                                       const ExportPlace& place);

}  // namespace coxswain::trainer
