// The shapes of the resnet recipe (He et al. 2016, tables 1 and 6), as Hugging Face's ResNetConfig
// names them.
#pragma once

#include <cstdint>
#include <vector>

namespace coxswain::config {

struct ResNetShape {
  bool bottleneck = false;                  // layers of 1x1, 3x3, 1x1; otherwise of two 3x3
  std::vector<int64_t> depths;              // layers of each stage
  std::vector<int64_t> hidden_sizes;        // channels that each stage gives
  int64_t embedding_size = 0;               // channels of the stem
  static constexpr int64_t kReduction = 4;  // bottleneck: the 3x3 has so many times fewer channels
};

// `depth`: 18, 34 or 50. `width`: channels of the stem, and of the 3x3 layers of the first stage;
// each stage has twice those of the one before it. 64 in the paper.
inline ResNetShape ResNetOf(int64_t depth, int64_t width) {
  ResNetShape shape;
  shape.bottleneck = depth >= 50;
  shape.depths = depth == 18 ? std::vector<int64_t>{2, 2, 2, 2} : std::vector<int64_t>{3, 4, 6, 3};
  shape.embedding_size = width;
  for (int64_t times : {1, 2, 4, 8}) {
    shape.hidden_sizes.push_back(times * width * (shape.bottleneck ? shape.kReduction : 1));
  }
  return shape;
}

}  // namespace coxswain::config
