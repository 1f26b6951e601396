// Random changes of training images: mirrored left to right, and moved by some pixels. What is
// drawn is given by (seed, epoch, sample) alone: the same for any number of ranks and after any
// restart.
#pragma once

#include <cstdint>
#include <vector>

namespace coxswain::trainer::data {

struct Augmentation {
  bool horizontal_flip = false;  // half of the images
  // Black pixels that are added on each side before a piece of the image's size is cut out at a
  // random place (torchvision's RandomCrop with padding). Below height and width.
  int64_t crop_padding = 0;

  bool any() const { return horizontal_flip || crop_padding > 0; }
};

// One thread.
class Augmenter {
 public:
  Augmenter(const Augmentation& augmentation, uint64_t seed, int64_t channels, int64_t height,
            int64_t width);
  // Writes image `sample` as epoch `epoch` (0 or above) sees it. The answer is valid until the next
  // call. (channels, height, width), a byte each.
  const uint8_t* Apply(const uint8_t* image, int64_t epoch, int64_t sample);

 private:
  const Augmentation augmentation_;
  const uint64_t seed_;
  const int64_t channels_, height_, width_;
  std::vector<uint8_t> out_;
};

}  // namespace coxswain::trainer::data
