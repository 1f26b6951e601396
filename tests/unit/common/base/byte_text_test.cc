#include "common/base/byte_text.h"

#include <gtest/gtest.h>

namespace coxswain::base {
namespace {

TEST(BytesText, ReadsWell) {
  EXPECT_EQ(BytesText(0), "0 B");
  EXPECT_EQ(BytesText(1023), "1023 B");
  EXPECT_EQ(BytesText(1024), "1 KiB");
  EXPECT_EQ(BytesText(1536), "1.5 KiB");
  EXPECT_EQ(BytesText(2'488'600), "2.4 MiB");
  EXPECT_EQ(BytesText(uint64_t{150} << 20), "150 MiB");
  EXPECT_EQ(BytesText(uint64_t{64} << 40), "64 TiB");
  EXPECT_EQ(BytesText(~uint64_t{0}), "16 EiB");
}

TEST(ExactBytesText, HasEveryByte) {
  EXPECT_EQ(ExactBytesText(1), "1 byte");
  EXPECT_EQ(ExactBytesText(1000), "1,000 bytes");
  EXPECT_EQ(ExactBytesText(2'488'600), "2.4 MiB (2,488,600 bytes)");
}

}  // namespace
}  // namespace coxswain::base
