#include "trainer/engine/data/image_dataset.h"

#include <algorithm>
#include <optional>
#include <string>

#include "trainer/engine/data/sample_order.h"

namespace coxswain::trainer::data {

namespace {

class ImageReader : public SampleReader {
 public:
  ImageReader(const ImageDataset& set, const ReaderSettings& settings)
      : set_(set), settings_(settings), order_(settings.seed, set.size()) {
    const std::vector<int64_t>& shape = set.shape().dense;
    if (set.augmentation().any()) {
      augmenter_.emplace(set.augmentation(), settings.seed, shape[0], shape[1], shape[2]);
    }
  }

  absl::Status Read(int64_t epoch, int64_t begin, int64_t end, Rows& rows) override {
    rows.count = end - begin;
    rows.labels.resize(static_cast<size_t>(rows.count));
    size_t values = static_cast<size_t>(rows.count * set_.sample_bytes());
    rows.dense.resize(values * (settings_.float64 ? sizeof(double) : sizeof(float)));
    if (settings_.float64) {
      Fill(epoch, begin, reinterpret_cast<double*>(rows.dense.data()), rows);
    } else {
      Fill(epoch, begin, reinterpret_cast<float*>(rows.dense.data()), rows);
    }
    return absl::OkStatus();
  }

 private:
  template <class Number>
  void Fill(int64_t epoch, int64_t begin, Number* to, Rows& rows) {
    for (int64_t i = 0; i < rows.count; ++i) {
      int64_t sample = order_.At(epoch, begin + i);
      rows.labels[static_cast<size_t>(i)] = set_.label(sample);
      const uint8_t* image = set_.image(sample);
      if (augmenter_ && epoch >= 0) image = augmenter_->Apply(image, epoch, sample);
      set_.normalizer().Apply(image, set_.sample_bytes(), to + i * set_.sample_bytes());
    }
  }

  const ImageDataset& set_;
  const ReaderSettings settings_;
  OrderInMemory order_;
  std::optional<Augmenter> augmenter_;
};

}  // namespace

std::unique_ptr<SampleReader> ImageDataset::MakeReader(const ReaderSettings& settings) const {
  return std::make_unique<ImageReader>(*this, settings);
}

std::vector<int64_t> ImageDataset::ClassCounts() const {
  std::vector<int64_t> counts(static_cast<size_t>(shape_.classes));
  for (int64_t i = 0; i < size_; ++i) ++counts[label(i)];
  return counts;
}

absl::StatusOr<std::unique_ptr<ImageDataset>> ImageDataset::Make(IdxArray images,
                                                                 std::string_view images_uri,
                                                                 IdxArray labels,
                                                                 std::string_view labels_uri,
                                                                 const ImageSettings& settings) {
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
  std::unique_ptr<ImageDataset> set(new ImageDataset(settings));
  set->size_ = images.dims[0];
  if (settings.limit > 0) set->size_ = std::min(set->size_, settings.limit);
  size_t spatial = images.dims.size() - 2;
  set->shape_.classes = settings.classes;
  set->shape_.dense = {images.dims.size() == 4 ? images.dims[1] : 1, images.dims[spatial],
                       images.dims[spatial + 1]};
  const int64_t smaller = std::min(set->shape_.dense[1], set->shape_.dense[2]);
  if (settings.augment.crop_padding >= smaller) {
    return wrong(images_uri, "images of " + std::to_string(set->shape_.dense[1]) + " x " +
                                 std::to_string(set->shape_.dense[2]) +
                                 " pixels found, but spec.data.augment.crop_padding is " +
                                 std::to_string(settings.augment.crop_padding) +
                                 ", expected less than " + std::to_string(smaller));
  }
  const uint8_t* first = labels.bytes();
  auto worst = std::max_element(first, first + set->size_);
  if (*worst >= settings.classes) {
    return wrong(labels_uri, "label " + std::to_string(*worst) + " found at index " +
                                 std::to_string(worst - first) + ", expected 0 to " +
                                 std::to_string(settings.classes - 1) + " (spec.data.classes)");
  }
  set->images_ = std::move(images);
  set->labels_ = std::move(labels);
  return set;
}

}  // namespace coxswain::trainer::data
