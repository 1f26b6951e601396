// Text for the tests of gpt and llama: tokens that can be predicted.
#pragma once

#include <cstring>
#include <memory>

#include "common/base/rng.h"
#include "common/config/job_spec.h"
#include "trainer/engine/data/token_dataset.h"

namespace coxswain::trainer::engine {

// Each token is mostly the one after the token before it.
inline std::unique_ptr<data::TokenDataset> MakeTokens(int64_t count, int64_t vocabulary,
                                                      int64_t sequence) {
  std::string bytes(static_cast<size_t>(count) * 2, '\0');
  base::Rng rng(11);
  uint16_t token = 0;
  for (int64_t i = 0; i < count; ++i) {
    const auto size = static_cast<uint64_t>(vocabulary);
    token = static_cast<uint16_t>(rng.Below(5) == 0 ? rng.Below(size) : (token + 1u) % size);
    std::memcpy(bytes.data() + 2 * i, &token, 2);
  }
  std::vector<data::TokenPart> parts = {
      {"tokens", std::make_shared<data::HeldBytes>(std::move(bytes)), 0, count, 2}};
  auto store = std::make_shared<data::TokenStore>(std::move(parts), vocabulary);
  return std::make_unique<data::TokenDataset>(std::move(store), 0, count,
                                              data::TokenSettings{sequence, 0, -1});
}

inline config::JobSpec TextSpec(config::Recipe recipe) {
  config::JobSpec spec;
  spec.workers = 2;
  spec.model.recipe = recipe;
  spec.model.transformer.layers = 2;
  spec.model.transformer.heads = 4;
  spec.model.transformer.width = 16;
  if (recipe == config::Recipe::kLlama) {
    spec.model.transformer.kv_heads = 2;
    spec.model.transformer.feed_forward = 24;
  }
  spec.data.format = "text";
  spec.data.text.sequence_length = 8;
  spec.train.precision = config::Precision::kFloat64;
  spec.train.global_batch_size = 7;
  spec.train.epochs = 6;
  spec.train.optimizer.learning_rate = 1e-2;
  return spec;
}

}  // namespace coxswain::trainer::engine
