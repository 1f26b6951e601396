#include "trainer/runtime/model_export.h"

#include <cstring>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "trainer/blob/checkpoint_io.h"

namespace coxswain::trainer {

namespace {

// PyTorch's batch norm counts the batches that its running statistics have seen, and its strict
// loading asks for that number. A module of the user's own has it already.
std::vector<blob::TensorInfo> BatchCounts(const std::vector<blob::TensorInfo>& model) {
  constexpr std::string_view kOfNorm = "running_var";
  std::set<std::string> names;
  for (const blob::TensorInfo& each : model) names.insert(each.name);
  std::vector<blob::TensorInfo> counts;
  for (const std::string& name : names) {
    if (!name.ends_with(kOfNorm)) continue;
    std::string count = name.substr(0, name.size() - kOfNorm.size()) + "num_batches_tracked";
    if (!names.contains(count)) counts.push_back({std::move(count), blob::DType::kInt64, {}});
  }
  return counts;
}

// `instead`: not empty: bytes of the model's tensors, in place of those it has now.
absl::StatusOr<std::string> Export(engine::Engine& engine, int64_t step,
                                   const std::vector<char*>& instead, const ExportPlace& place) {
  absl::StatusOr<std::unique_ptr<blob::BlobStore>> opened =
      blob::OpenStore(place.store, place.settings);
  if (!opened.ok()) return opened.status();
  blob::BlobStore& store = **opened;
  std::vector<blob::TensorInfo> model = engine.StateTensors();
  model.resize(engine.ModelTensorCount());
  // The counts first, so that the numbers of 8 bytes lie at multiples of 8.
  std::vector<blob::TensorInfo> tensors = BatchCounts(model);
  const size_t counts = tensors.size();
  tensors.insert(tensors.end(), model.begin(), model.end());
  auto copy = [&](const blob::Piece& piece, char* to) {
    const char* from = reinterpret_cast<const char*>(&step);
    if (piece.tensor >= counts) {
      const size_t i = piece.tensor - counts;
      from = instead.empty() ? engine.ModelBytes(i) : instead[i];
    }
    std::memcpy(to, from + piece.offset, piece.bytes);
  };
  // Hugging Face's libraries ask for "pt": names and layouts of PyTorch's parameters.
  const std::map<std::string, std::string> metadata = {{"format", "pt"}};
  auto files = engine.ModelFiles(instead);
  if (!files.ok()) return files.status();
  auto write = [&]() -> absl::Status {
    auto stored =
        blob::StoreModel(store, place.folder + "/model.safetensors", tensors, metadata, copy);
    if (!stored.ok()) return stored.status();
    if (!place.tokenizer_json.empty()) {
      absl::Status put = store.Put(place.folder + "/tokenizer.json", place.tokenizer_json);
      if (!put.ok()) return put;
    }
    for (const engine::ModelFile& file : *files) {
      absl::Status put = store.Put(place.folder + "/" + file.name, file.bytes);
      if (!put.ok()) return put;
    }
    return store.Put(place.folder + "/config.json", engine.ModelConfig());
  };
  blob::Patience* patience = place.settings.patience.get();
  absl::Status done = patience != nullptr ? patience->Run(write) : write();
  if (!done.ok()) return done;
  return store.uri() + "/" + place.folder;
}

}  // namespace

absl::StatusOr<std::string> ExportModel(engine::Engine& engine, int64_t step,
                                        const ExportPlace& place) {
  return Export(engine, step, {}, place);
}

absl::StatusOr<std::string> ExportBest(engine::Engine& engine,
                                       const protocol::RestoreCandidate& checkpoint,
                                       const ExportPlace& place) {
  auto state =
      blob::ReadCheckpoint(checkpoint.uri, place.settings, {checkpoint.manifest_hash, false});
  if (!state.ok()) return state.status();
  std::vector<char*> bytes;  // of the average, where there is one
  for (size_t i = 0; i < engine.ModelTensorCount(); ++i) {
    const int found = state->Find(engine.ModelName(i));
    if (found < 0 ||
        state->tensors[static_cast<size_t>(found)].bytes() != engine.StateTensors()[i].bytes()) {
      return absl::InternalError("the best checkpoint, " + checkpoint.uri +
                                 ", has no tensor like '" + engine.ModelName(i) + "'");
    }
    bytes.push_back(state->data[static_cast<size_t>(found)].get());
  }
  return Export(engine, state->info.step, bytes, place);
}

}  // namespace coxswain::trainer
