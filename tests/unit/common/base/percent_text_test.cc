#include "common/base/percent_text.h"

#include <gtest/gtest.h>

namespace coxswain::base {
namespace {

TEST(PercentText, KeepsWhatIsPlain_AndEncodesEveryOtherByte) {
  EXPECT_EQ(PercentEncoded("azAZ09-._~"), "azAZ09-._~");
  EXPECT_EQ(PercentEncoded("a b/c?d=e&f%"), "a%20b%2Fc%3Fd%3De%26f%25");
  EXPECT_EQ(PercentEncoded("\xc3\xbc\n"), "%C3%BC%0A");
  EXPECT_EQ(PercentEncoded(std::string_view("\0\x7f", 2)), "%00%7F");
  EXPECT_EQ(PercentEncoded("a/b c", "/"), "a/b%20c");
}

}  // namespace
}  // namespace coxswain::base
