#include "trainer/engine/data/augmenter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "trainer/engine/data/image_dataset.h"

namespace coxswain::trainer::data {
namespace {

using ::testing::HasSubstr;

// Two channels of 3 x 4 pixels, all unlike and none black.
std::vector<uint8_t> Image() {
  std::vector<uint8_t> image(24);
  for (size_t i = 0; i < image.size(); ++i) image[i] = static_cast<uint8_t>(10 + i);
  return image;
}

// What an image moved by (down, right), and then mirrored, should be: pixel by pixel.
std::vector<uint8_t> Moved(const std::vector<uint8_t>& image, int down, int right, bool flip) {
  std::vector<uint8_t> out(24, 0);
  for (int c = 0; c < 2; ++c) {
    for (int y = 0; y < 3; ++y) {
      for (int x = 0; x < 4; ++x) {
        const int from_y = y - down, from_x = (flip ? 3 - x : x) - right;
        if (from_y < 0 || from_y >= 3 || from_x < 0 || from_x >= 4) continue;
        out[static_cast<size_t>(c * 12 + y * 4 + x)] =
            image[static_cast<size_t>(c * 12 + from_y * 4 + from_x)];
      }
    }
  }
  return out;
}

TEST(Augmenter, EveryMoveAndFlipIsDrawn_AndNothingElse) {
  const std::vector<uint8_t> image = Image();
  std::set<std::vector<uint8_t>> expected, found;
  for (int down = -1; down <= 1; ++down) {
    for (int right = -1; right <= 1; ++right) {
      for (bool flip : {false, true}) expected.insert(Moved(image, down, right, flip));
    }
  }
  Augmenter augmenter({.horizontal_flip = true, .crop_padding = 1}, 3, 2, 3, 4);
  for (int64_t sample = 0; sample < 400; ++sample) {
    const uint8_t* seen = augmenter.Apply(image.data(), 0, sample);
    found.insert(std::vector<uint8_t>(seen, seen + 24));
  }
  EXPECT_EQ(found, expected);
}

TEST(Augmenter, FlipAlone_MirrorsAboutHalfOfThem) {
  const std::vector<uint8_t> image = Image();
  Augmenter augmenter({.horizontal_flip = true}, 3, 2, 3, 4);
  int flipped = 0;
  for (int64_t sample = 0; sample < 1000; ++sample) {
    flipped += std::memcmp(augmenter.Apply(image.data(), 0, sample), image.data(), 24) != 0;
  }
  EXPECT_GT(flipped, 440);  // 500 on average, standard deviation 16
  EXPECT_LT(flipped, 560);
}

// 40 images of one channel, 6 x 6, whose pixels are all unlike.
std::unique_ptr<ImageDataset> Set(const Augmentation& augment, absl::Status* why = nullptr) {
  IdxArray images{.dims = {40, 6, 6}, .storage = std::string(40 * 36, ' '), .count = 40 * 36};
  for (size_t i = 0; i < images.storage.size(); ++i) {
    images.storage[i] = static_cast<char>(i * 7 + i / 36);
  }
  IdxArray labels{.dims = {40}, .storage = std::string(40, '\1'), .count = 40};
  auto set = ImageDataset::Make(std::move(images), "images", std::move(labels), "labels",
                                {.augment = augment});
  if (why) *why = set.status();
  return set.ok() ? *std::move(set) : nullptr;
}

std::vector<char> Read(const ImageDataset& set, int64_t epoch, int64_t begin, int64_t end) {
  Rows rows;
  EXPECT_TRUE(set.MakeReader({.seed = 5})->Read(epoch, begin, end, rows).ok());
  return rows.dense;
}

TEST(Augmentation, OfASetIsTheSame_HoweverItIsCutAmongReaders_AndAnotherInEachEpoch) {
  auto set = Set({.horizontal_flip = true, .crop_padding = 2});
  const std::vector<char> whole = Read(*set, 1, 0, 40);
  std::vector<char> parts = Read(*set, 1, 0, 13);
  for (char byte : Read(*set, 1, 13, 40)) parts.push_back(byte);
  EXPECT_EQ(parts, whole);
  EXPECT_NE(Read(*set, 2, 0, 40), whole);
  EXPECT_NE(Read(*Set({}), 1, 0, 40), whole);
}

TEST(Augmentation, IsNotOfWhatIsReadAsItIsStored) {
  EXPECT_EQ(Read(*Set({.horizontal_flip = true, .crop_padding = 2}), -1, 0, 40),
            Read(*Set({}), -1, 0, 40));
}

TEST(Augmentation, PaddingThatCouldHideAnImage_IsRefused) {
  absl::Status why;
  EXPECT_EQ(Set({.crop_padding = 6}, &why), nullptr);
  EXPECT_THAT(std::string(why.message()),
              HasSubstr("images of 6 x 6 pixels found, but spec.data.augment.crop_padding is 6, "
                        "expected less than 6"));
}

}  // namespace
}  // namespace coxswain::trainer::data
