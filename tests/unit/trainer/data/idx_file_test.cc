#include "trainer/engine/data/idx_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trainer/engine/data/batch_loader.h"
#include "trainer/engine/data/image_dataset.h"

namespace coxswain::trainer::data {
namespace {

using ::testing::HasSubstr;

std::string Idx(std::vector<uint8_t> dims, const std::string& elements, char type = 8) {
  std::string out = {0, 0, type, static_cast<char>(dims.size())};
  for (uint8_t dim : dims) out += std::string{0, 0, 0, static_cast<char>(dim)};
  return out + elements;
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(Idx, Plain_GivesDimensionsAndElements) {
  auto array = ParseIdx(Idx({2, 3}, "abcdef"), "x");
  ASSERT_TRUE(array.ok());
  EXPECT_EQ(array->dims, (std::vector<uint32_t>{2, 3}));
  EXPECT_EQ(array->count, 6u);
  EXPECT_EQ(array->bytes()[5], 'f');
}

TEST(Idx, Gzipped_IsRecognised) {
  // gzip of an IDX vector of three labels 1, 2, 3.
  const unsigned char packed[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x63,
                                  0x60, 0xe0, 0x60, 0x64, 0x60, 0x60, 0x60, 0x66, 0x64, 0x62, 0x06,
                                  0x00, 0x8b, 0xe5, 0xbd, 0xa4, 0x0b, 0x00, 0x00, 0x00};
  auto array = ParseIdx(std::string(packed, packed + sizeof packed), "labels.gz");
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_EQ(array->count, 3u);
  EXPECT_EQ(array->bytes()[2], 3);
  for (size_t cut = 2; cut < sizeof packed; ++cut) {
    EXPECT_FALSE(ParseIdx(std::string(packed, packed + cut), "labels.gz").ok()) << cut;
  }
}

TEST(Idx, CutShort_SaysFileFoundAndExpected) {
  auto array = ParseIdx(Idx({2, 3}, "abcde"), "file:///t.idx");
  EXPECT_EQ(array.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(
      Message(array.status()),
      HasSubstr("file:///t.idx: cut short: the header states 6 elements, the file holds 5"));
}

TEST(Idx, WrongFiles_AreRefused) {
  EXPECT_THAT(Message(ParseIdx("hello world", "x").status()), HasSubstr("not an IDX file"));
  EXPECT_THAT(Message(ParseIdx("", "x").status()), HasSubstr("not an IDX file"));
  EXPECT_THAT(Message(ParseIdx(Idx({2}, "ab", 13), "x").status()), HasSubstr("element type 13"));
  EXPECT_THAT(Message(ParseIdx(Idx({2}, "abc"), "x").status()), HasSubstr("too long"));
  std::string huge = Idx({1, 1, 1, 1}, "");
  for (size_t i = 4; i < huge.size(); ++i) huge[i] = '\xff';
  EXPECT_THAT(Message(ParseIdx(huge, "x").status()), HasSubstr("impossible size"));
}

absl::StatusOr<std::unique_ptr<ImageDataset>> Set(uint8_t images, const std::string& labels,
                                                  int64_t classes) {
  std::string pixels(static_cast<size_t>(images) * 4, '\x40');
  auto parsed_images = ParseIdx(Idx({images, 2, 2}, pixels), "i");
  auto parsed_labels = ParseIdx(Idx({static_cast<uint8_t>(labels.size())}, labels), "l");
  return ImageDataset::Make(*std::move(parsed_images), "i", *std::move(parsed_labels), "l",
                            {classes, 0, 0.25, 0.5});
}

TEST(ImageDataset, CountsMustAgreeAndLabelsFit) {
  EXPECT_TRUE(Set(3, std::string("\0\1\2", 3), 3).ok());
  EXPECT_THAT(Message(Set(3, std::string("\0\1", 2), 3).status()),
              HasSubstr("2 labels found, but i holds 3 images"));
  EXPECT_THAT(Message(Set(3, std::string("\0\1\2", 3), 2).status()),
              HasSubstr("label 2 found at index 2, expected 0 to 1"));
}

TEST(BatchLoader, GivesNormalisedSharesInOrderOfThePlan) {
  auto set = Set(5, std::string("\0\1\2\3\4", 5), 5);
  ASSERT_TRUE(set.ok());
  LoaderSettings settings;
  settings.plan = {5, 2, 2, 0, 0};
  BatchLoader zero(**set, settings, 0, 2, 0, 0), one(**set, settings, 1, 2, 0, 0);
  std::vector<uint32_t> order = EpochOrder(settings.seed, 0, 5);
  int64_t position = 0;
  for (int64_t expected : {2, 2, 1, 2, 2, 1}) {
    auto first = zero.Next(), second = one.Next();
    ASSERT_TRUE(first.ok() && second.ok());
    std::unique_ptr<Batch> a = *std::move(first), b = *std::move(second);
    EXPECT_EQ(a->position, position);
    EXPECT_EQ(a->global_size, expected);
    EXPECT_EQ(a->share.size() + b->share.size(), expected);
    if (position < 4) {
      EXPECT_EQ(a->rows.labels[0], order[static_cast<size_t>(position)]);
      EXPECT_EQ(b->rows.labels[0], order[static_cast<size_t>(position + 1)]);
    }
    EXPECT_FLOAT_EQ(reinterpret_cast<const float*>(a->rows.dense.data())[0],
                    (64 / 255.0 - 0.25) / 0.5);
    position += expected;
    zero.Recycle(std::move(a));
    one.Recycle(std::move(b));
  }
}

}  // namespace
}  // namespace coxswain::trainer::data
