#include "trainer/engine/data/augmenter.h"

#include <algorithm>

#include "common/base/rng.h"

namespace coxswain::trainer::data {

Augmenter::Augmenter(const Augmentation& augmentation, uint64_t seed, int64_t channels,
                     int64_t height, int64_t width)
    : augmentation_(augmentation),
      seed_(base::Mix64(seed) ^ 0xa0f),
      channels_(channels),
      height_(height),
      width_(width),
      out_(static_cast<size_t>(channels * height * width)) {}

const uint8_t* Augmenter::Apply(const uint8_t* image, int64_t epoch, int64_t sample) {
  const uint64_t drawn = base::Mix64(seed_ ^ base::Mix64(static_cast<uint64_t>(epoch)));
  base::Rng rng(drawn ^ base::Mix64(static_cast<uint64_t>(sample)));
  const bool flip = augmentation_.horizontal_flip && rng.Below(2) == 1;
  const int64_t padding = augmentation_.crop_padding;
  auto offset = [&] {
    return static_cast<int64_t>(rng.Below(static_cast<uint64_t>(2 * padding + 1))) - padding;
  };
  const int64_t down = padding > 0 ? offset() : 0;
  const int64_t right = padding > 0 ? offset() : 0;
  // Columns [first, last) of the result have a pixel of the image to show.
  const int64_t first = std::max<int64_t>(0, right), last = std::min(width_, width_ + right);
  for (int64_t row = 0; row < channels_ * height_; ++row) {
    uint8_t* to = out_.data() + row * width_;
    const int64_t source = row % height_ - down;
    if (source < 0 || source >= height_) {
      std::fill(to, to + width_, uint8_t{0});
      continue;
    }
    const uint8_t* from = image + (row - down) * width_;
    std::fill(to, to + first, uint8_t{0});
    std::copy(from + first - right, from + last - right, to + first);
    std::fill(to + last, to + width_, uint8_t{0});
    if (flip) std::reverse(to, to + width_);
  }
  return out_.data();
}

}  // namespace coxswain::trainer::data
