#include "common/base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace coxswain::base {
namespace {

// As RFC 3629 defines it: the shortest form of a code point that is no surrogate.
std::string Encoded(uint32_t point) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | ((point >> shift) & 0x3f)); };
  const auto head = [&](uint32_t mark, int shift) {
    return std::string(1, static_cast<char>(mark | (point >> shift)));
  };
  if (point < 0x80) return head(0, 0);
  if (point < 0x800) return head(0xc0, 6) + tail(0);
  if (point < 0x10000) return head(0xe0, 12) + tail(6) + tail(0);
  return head(0xf0, 18) + tail(12) + tail(6) + tail(0);
}

TEST(Utf8Length, TakesEveryCharacterAndNoSurrogate) {
  for (uint32_t point = 0; point < 0x140000; ++point) {
    const std::string text = Encoded(point);
    const bool valid = (point < 0xd800 || point > 0xdfff) && point <= 0x10ffff;
    ASSERT_EQ(Utf8Length(text + "x"), valid ? text.size() : 0) << std::hex << point;
  }
}

TEST(Utf8Length, EveryPairOfBytesIsACharacterOrNot) {
  for (int first = 0x80; first < 0x100; ++first) {
    for (int second = 0; second < 0x100; ++second) {
      const std::string text = {static_cast<char>(first), static_cast<char>(second)};
      const bool valid = first >= 0xc2 && first < 0xe0 && second >= 0x80 && second < 0xc0;
      ASSERT_EQ(Utf8Length(text), valid ? 2 : 0) << first << " " << second;
    }
  }
}

TEST(Utf8Length, RefusesOverlongCutAndEmpty) {
  for (const char* text : {"", "\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xe0\x9f\xbf",
                           "\xf0\x80\x80\xaf", "\xf0\x8f\xbf\xbf", "\xe2\x82", "\xe2\x82x",
                           "\xf0\x9f\x98", "\xf0\x9f\x98x", "\xf8\x88\x80\x80\x80", "\xff"}) {
    EXPECT_EQ(Utf8Length(text), 0u) << testing::PrintToString(text);
  }
}

TEST(StartsWithC1, IsForU0080ToU009FOnly) {
  for (uint32_t point = 0; point < 0x800; ++point) {
    EXPECT_EQ(StartsWithC1(Encoded(point) + "x"), point >= 0x80 && point < 0xa0) << point;
  }
  EXPECT_FALSE(StartsWithC1("\xc2"));
  EXPECT_FALSE(StartsWithC1(""));
}

}  // namespace
}  // namespace coxswain::base
