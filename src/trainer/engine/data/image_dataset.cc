#include "trainer/engine/data/image_dataset.h"

#include <algorithm>
#include <string>

namespace coxswain::trainer::data {

absl::StatusOr<ImageDataset> ImageDataset::Make(IdxArray images, std::string_view images_uri,
                                                IdxArray labels, std::string_view labels_uri,
                                                int64_t classes, int64_t limit) {
  auto wrong = [](std::string_view uri, const std::string& text) {
    return absl::InvalidArgumentError(std::string(uri) + ": " + text);
  };
  if (images.dims.size() < 3) {
    return wrong(images_uri, std::to_string(images.dims.size()) +
                                 " dimensions found, expected images: count, height, width");
  }
  if (labels.dims.size() != 1) {
    return wrong(labels_uri, std::to_string(labels.dims.size()) +
                                 " dimensions found, expected 1: a label per image");
  }
  if (images.dims[0] != labels.dims[0]) {
    return wrong(labels_uri, std::to_string(labels.dims[0]) + " labels found, but " +
                                 std::string(images_uri) + " holds " +
                                 std::to_string(images.dims[0]) + " images");
  }
  if (images.count == 0) return wrong(images_uri, "holds no image");
  ImageDataset set;
  set.size_ = images.dims[0];
  if (limit > 0) set.size_ = std::min(set.size_, limit);
  size_t spatial = images.dims.size() - 2;
  set.channels_ = images.dims.size() == 4 ? images.dims[1] : 1;
  set.height_ = images.dims[spatial];
  set.width_ = images.dims[spatial + 1];
  const uint8_t* first = labels.bytes();
  auto worst = std::max_element(first, first + set.size_);
  if (*worst >= classes) {
    return wrong(labels_uri, "label " + std::to_string(*worst) + " found at index " +
                                 std::to_string(worst - first) + ", expected 0 to " +
                                 std::to_string(classes - 1) + " (spec.data.classes)");
  }
  set.images_ = std::move(images);
  set.labels_ = std::move(labels);
  return set;
}

}  // namespace coxswain::trainer::data
