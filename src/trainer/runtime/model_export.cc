#include "trainer/runtime/model_export.h"

#include <cstring>
#include <map>

#include "trainer/blob/checkpoint_io.h"

namespace coxswain::trainer {

absl::StatusOr<std::string> ExportModel(engine::Engine& engine, const std::string& tokenizer_json,
                                        const std::string& store_uri, const std::string& folder,
                                        const blob::StoreSettings& settings) {
  absl::StatusOr<std::unique_ptr<blob::BlobStore>> opened = blob::OpenStore(store_uri, settings);
  if (!opened.ok()) return opened.status();
  blob::BlobStore& store = **opened;
  std::vector<blob::TensorInfo> tensors = engine.StateTensors();
  tensors.resize(engine.ModelTensorCount());
  auto copy = [&](const blob::Piece& piece, char* to) {
    std::memcpy(to, engine.ModelBytes(piece.tensor) + piece.offset, piece.bytes);
  };
  // Hugging Face's libraries ask for "pt": names and layouts of PyTorch's parameters.
  const std::map<std::string, std::string> metadata = {{"format", "pt"}};
  auto files = engine.ModelFiles();
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

}  // namespace coxswain::trainer
