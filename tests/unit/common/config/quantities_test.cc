#include "common/config/quantities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace coxswain::config {
namespace {

using base::Duration;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(Quantities, DurationsAreRead) {
  EXPECT_EQ(ParseDuration("90s"), seconds(90));
  EXPECT_EQ(ParseDuration("1h30m"), minutes(90));
  EXPECT_EQ(ParseDuration("1.5h"), minutes(90));
  EXPECT_EQ(ParseDuration("7d"), hours(168));
  EXPECT_EQ(ParseDuration("250ms"), Duration(250'000));
  EXPECT_EQ(ParseDuration("0"), Duration(0));
  for (const char* bad :
       {"", "90", "s", "5 m", "5minutes", "-3s", "1h-3m", "1e3s", "99999999999d"}) {
    EXPECT_EQ(ParseDuration(bad), std::nullopt) << bad;
  }
}

TEST(Quantities, DurationsRoundTrip) {
  for (const char* text : {"0s", "250ms", "90s", "1h30m", "7d", "1d1us"}) {
    const std::string formatted = FormatDuration(*ParseDuration(text));
    EXPECT_EQ(ParseDuration(formatted), ParseDuration(text)) << formatted;
  }
  EXPECT_EQ(FormatDuration(minutes(90)), "1h30m");
}

TEST(Quantities, SizesAreRead) {
  EXPECT_EQ(ParseSize("8GiB"), int64_t{8} << 30);
  EXPECT_EQ(ParseSize("1.5MiB"), 3 << 19);
  EXPECT_EQ(ParseSize("10GB"), 10'000'000'000);
  EXPECT_EQ(ParseSize("0"), 0);
  for (const char* bad : {"", "8", "8G", "8Gi", "-1GiB", "1GiB1MiB", "99999999TiB"}) {
    EXPECT_EQ(ParseSize(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(FormatSize(int64_t{8} << 30), "8GiB");
  EXPECT_EQ(FormatSize(3 << 19), "1.5MiB");
  EXPECT_EQ(FormatSize(100), "100B");
}

TEST(Quantities, AddressesAreRead) {
  EXPECT_EQ(ParseHostPort("127.0.0.1:7070")->port, 7070);
  EXPECT_EQ(ParseHostPort("[::1]:0")->host, "::1");
  EXPECT_EQ(ParseHostPort("node-1.example:65535")->host, "node-1.example");
  for (const char* bad :
       {"", "7070", ":7070", "a:", "a:x", "a:65536", "::1:7070", "a b:1", "http://a:1"}) {
    EXPECT_EQ(ParseHostPort(bad), std::nullopt) << bad;
  }
  EXPECT_TRUE(IsLoopback("127.0.0.1") && IsLoopback("127.3.2.1") && IsLoopback("::1"));
  EXPECT_FALSE(IsLoopback("10.0.0.1") || IsLoopback("0.0.0.0") || IsLoopback("127.evil.example"));
}

TEST(Quantities, BadBytesAreFound) {
  EXPECT_EQ(FindBadByte("plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x9a\xa3"), std::string::npos);
  EXPECT_EQ(FindBadByte("ab\x1b"), 2u);
  EXPECT_EQ(FindBadByte("a\tb", "\t"), std::string::npos);
  for (const char* bad : {"\xc0\xaf", "\xe2\x82", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\x80"}) {
    EXPECT_EQ(FindBadByte(bad), 0u);
  }
}

TEST(Quantities, C1AndBrokenBytesAreBadToo) {
  EXPECT_EQ(FindBadByte("ab\xc2\x9b"), 2u);
  EXPECT_EQ(FindBadByte("ab\x9b"), 2u);
  EXPECT_EQ(FindBadByte("ab\u202e"), 2u);
  EXPECT_EQ(FindBadByte("a\u200db \u200c"), std::string_view::npos);
  EXPECT_EQ(Quoted("a\u202eb\u2066"), "\"a\\xe2\\x80\\xaeb\\xe2\\x81\\xa6\"");
  EXPECT_EQ(FindBadByte("\xc2\xa0\xc3\xbc"), std::string_view::npos);
  EXPECT_EQ(Escaped("\xc3\xbc \xc2\x9b m \xff\n\x7f"), "\xc3\xbc \\xc2\\x9b m \\xff\\x0a\\x7f");
  EXPECT_EQ(Quoted("\xff"), "\"\\xff\"");
  EXPECT_EQ(Quoted(std::string(79, 'x') + "\xc3\xbc"), "\"" + std::string(79, 'x') + "...\"");
}

TEST(Quantities, QuotedTextIsOneShortLine) {
  EXPECT_EQ(Quoted("a\nb"), "\"a\\x0ab\"");
  EXPECT_EQ(Quoted(std::string(500, 'x')).size(), 85u);
}

}  // namespace
}  // namespace coxswain::config
