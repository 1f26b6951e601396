#include "common/base/byte_text.h"

#include <gtest/gtest.h>

#include <cmath>

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

TEST(RangedText, WhatItIsAndMayBe) {
  EXPECT_EQ(RangedText(3, 1, 4), "3 (1-4)");
  EXPECT_EQ(RangedText(64, 32, 4096), "64 (32-4,096)");
  EXPECT_EQ(RangedText(0, 1, 4), "- (1-4)");
  EXPECT_EQ(RangedText(0, 2, 2), "2");
}

TEST(SlotsText, OnlyWhatIsBounded) {
  EXPECT_EQ(SlotsText(1, 2048), "2,048 GPUs and 1 CPU slot");
  EXPECT_EQ(SlotsText(-1, 0), "0 GPUs");
  EXPECT_EQ(SlotsText(-1, -1), "");
  EXPECT_EQ(HeldText(4, 0), "4 CPU slots");
  EXPECT_EQ(HeldText(0, 0), "");
}

TEST(ExactBytesText, HasEveryByte) {
  EXPECT_EQ(ExactBytesText(1), "1 byte");
  EXPECT_EQ(ExactBytesText(1000), "1,000 bytes");
  EXPECT_EQ(ExactBytesText(2'488'600), "2.4 MiB (2,488,600 bytes)");
}

TEST(NumberText, FourDigits_AndSeparators) {
  EXPECT_EQ(NumberText(0.31219), "0.3122");
  EXPECT_EQ(NumberText(0.1 + 0.2), "0.3");
  EXPECT_EQ(NumberText(999.94), "999.9");
  EXPECT_EQ(NumberText(999.96), "1,000");
  EXPECT_EQ(NumberText(18234.4), "18,234");
  EXPECT_EQ(NumberText(-1234567), "-1,234,567");
  EXPECT_EQ(NumberText(1.2e-5), "1.2e-05");
  EXPECT_EQ(NumberText(0), "0");
  EXPECT_EQ(NumberText(std::nan("")), "NaN");
  EXPECT_EQ(NumberText(-1 / 0.0), "-infinite");
  EXPECT_EQ(NumberText(3e30), "3e+30");
}

}  // namespace
}  // namespace coxswain::base
