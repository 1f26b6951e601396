// A model of ours as a folder that `transformers` reads.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "common/base/rng.h"
#include "trainer/blob/checkpoint_io.h"
#include "trainer/engine/model/model.h"

namespace coxswain::trainer::engine {

// 64-bit numbers, away from zeros and ones, so that each of them counts.
inline void Stir(const std::vector<NamedTensor>& tensors, uint64_t seed) {
  base::Rng rng(seed);
  for (const NamedTensor& each : tensors) {
    at::Tensor value = each.tensor.detach();
    double* numbers = value.data_ptr<double>();
    for (int64_t i = 0; i < value.numel(); ++i) {
      numbers[i] += 0.1 * (static_cast<double>(rng.Below(1000)) / 1000 - 0.5);
    }
  }
}

inline void StoreForPeer(const std::string& folder, const std::vector<NamedTensor>& values,
                         const std::string& config) {
  std::vector<blob::TensorInfo> tensors;
  for (const NamedTensor& each : values) {
    tensors.push_back({each.name, blob::DType::kFloat64, each.tensor.sizes().vec()});
  }
  auto store = blob::OpenStore(folder, {});
  ASSERT_TRUE(store.ok()) << store.status();
  auto copy = [&](const blob::Piece& piece, char* to) {
    const at::Tensor& value = values[piece.tensor].tensor;
    std::memcpy(to, static_cast<const char*>(value.const_data_ptr()) + piece.offset, piece.bytes);
  };
  auto stored = blob::StoreModel(**store, "model.safetensors", tensors, {{"format", "pt"}}, copy);
  ASSERT_TRUE(stored.ok()) << stored.status();
  ASSERT_TRUE((*store)->Put("config.json", config).ok());
}

}  // namespace coxswain::trainer::engine
