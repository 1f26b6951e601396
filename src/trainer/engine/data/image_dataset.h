// Images with one label each, as bytes in memory.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "trainer/engine/data/idx_file.h"

namespace coxswain::trainer::data {

// Immutable once made.
class ImageDataset {
 public:
  // `images`: (N, H, W) or (N, C, H, W); `labels`: (N). `limit`: use the first N only; 0: all.
  // INVALID_ARGUMENT: counts that differ, no sample, a label that is not below `classes`.
  static absl::StatusOr<ImageDataset> Make(IdxArray images, std::string_view images_uri,
                                           IdxArray labels, std::string_view labels_uri,
                                           int64_t classes, int64_t limit);

  int64_t size() const { return size_; }
  int64_t channels() const { return channels_; }
  int64_t height() const { return height_; }
  int64_t width() const { return width_; }
  int64_t sample_bytes() const { return channels_ * height_ * width_; }
  const uint8_t* image(int64_t i) const { return images_.bytes() + i * sample_bytes(); }
  uint8_t label(int64_t i) const { return labels_.bytes()[i]; }

 private:
  IdxArray images_, labels_;
  int64_t size_ = 0, channels_ = 1, height_ = 0, width_ = 0;
};

}  // namespace coxswain::trainer::data
