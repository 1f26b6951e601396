// Images with one label each, as bytes in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/engine/data/augmenter.h"
#include "trainer/engine/data/dataset.h"
#include "trainer/engine/data/idx_file.h"
#include "trainer/engine/data/normalizer.h"

namespace coxswain::trainer::data {

struct ImageSettings {
  int64_t classes = 10;
  int64_t limit = 0;          // use the first N samples only; 0: all
  double mean = 0, std = 1;   // of pixels scaled to [0, 1]: (value / 255 - mean) / std goes in
  Augmentation augment = {};  // of each epoch; not of what is read as it is stored
};

class ImageDataset : public Dataset {
 public:
  // `images`: (N, H, W) or (N, C, H, W); `labels`: (N).
  // INVALID_ARGUMENT: counts that differ, no sample, a label that is not below `classes`,
  // images too small for `augment`.
  static absl::StatusOr<std::unique_ptr<ImageDataset>> Make(IdxArray images,
                                                            std::string_view images_uri,
                                                            IdxArray labels,
                                                            std::string_view labels_uri,
                                                            const ImageSettings& settings);

  int64_t size() const override { return size_; }
  const SampleShape& shape() const override { return shape_; }
  std::vector<int64_t> ClassCounts() const override;
  std::unique_ptr<SampleReader> MakeReader(const ReaderSettings& settings) const override;

  int64_t sample_bytes() const { return shape_.dense_size(); }
  const uint8_t* image(int64_t i) const { return images_.bytes() + i * sample_bytes(); }
  uint8_t label(int64_t i) const { return labels_.bytes()[i]; }

  const Normalizer& normalizer() const { return normalizer_; }
  const Augmentation& augmentation() const { return augmentation_; }

 private:
  explicit ImageDataset(const ImageSettings& settings)
      : normalizer_(settings.mean, settings.std), augmentation_(settings.augment) {}

  IdxArray images_, labels_;
  const Normalizer normalizer_;
  const Augmentation augmentation_;
  int64_t size_ = 0;
  SampleShape shape_;
};

}  // namespace coxswain::trainer::data
