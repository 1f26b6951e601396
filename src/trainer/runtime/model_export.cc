#include "trainer/runtime/model_export.h"

#include <cstring>
#include <map>
#include <vector>

#include "trainer/blob/checkpoint_io.h"

namespace coxswain::trainer {

namespace {

// `instead`: not empty: bytes of the model's tensors, in place of those it has now.
absl::StatusOr<std::string> Export(engine::Engine& engine, const std::vector<char*>& instead,
                                   const std::string& tokenizer_json, const std::string& store_uri,
                                   const std::string& folder, const blob::StoreSettings& settings) {
  absl::StatusOr<std::unique_ptr<blob::BlobStore>> opened = blob::OpenStore(store_uri, settings);
  if (!opened.ok()) return opened.status();
  blob::BlobStore& store = **opened;
  std::vector<blob::TensorInfo> tensors = engine.StateTensors();
  tensors.resize(engine.ModelTensorCount());
  auto copy = [&](const blob::Piece& piece, char* to) {
    const char* from = instead.empty() ? engine.ModelBytes(piece.tensor) : instead[piece.tensor];
    std::memcpy(to, from + piece.offset, piece.bytes);
  };
  // Hugging Face's libraries ask for "pt": names and layouts of PyTorch's parameters.
  const std::map<std::string, std::string> metadata = {{"format", "pt"}};
  auto files = engine.ModelFiles(instead);
  if (!files.ok()) return files.status();
  auto write = [&]() -> absl::Status {
    auto stored = blob::StoreModel(store, folder + "/model.safetensors", tensors, metadata, copy);
    if (!stored.ok()) return stored.status();
    if (!tokenizer_json.empty()) {
      absl::Status put = store.Put(folder + "/tokenizer.json", tokenizer_json);
      if (!put.ok()) return put;
    }
    for (const engine::ModelFile& file : *files) {
      absl::Status put = store.Put(folder + "/" + file.name, file.bytes);
      if (!put.ok()) return put;
    }
    return store.Put(folder + "/config.json", engine.ModelConfig());
  };
  absl::Status done = settings.patience != nullptr ? settings.patience->Run(write) : write();
  if (!done.ok()) return done;
  return store.uri() + "/" + folder;
}

}  // namespace

absl::StatusOr<std::string> ExportModel(engine::Engine& engine, const std::string& tokenizer_json,
                                        const std::string& store, const std::string& folder,
                                        const blob::StoreSettings& settings) {
  return Export(engine, {}, tokenizer_json, store, folder, settings);
}

absl::StatusOr<std::string> ExportBest(engine::Engine& engine,
                                       const protocol::RestoreCandidate& checkpoint,
                                       const std::string& tokenizer_json, const std::string& store,
                                       const std::string& folder,
                                       const blob::StoreSettings& settings) {
  auto state = blob::ReadCheckpoint(checkpoint.uri, settings, {checkpoint.manifest_hash, false});
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
  return Export(engine, bytes, tokenizer_json, store, folder, settings);
}

}  // namespace coxswain::trainer
