#include "common/base/shim_protocol.h"

#include <gtest/gtest.h>

namespace coxswain::base {
namespace {

ShimExit Sample() {
  ShimExit exit;
  exit.code = 10;
  exit.signal = 0;
  exit.oom_killed = true;
  exit.stopped = true;
  exit.started = WallTime{1'700'000'000'000'001};
  exit.ended = WallTime{1'700'000'100'000'002};
  exit.user_us = 5;
  exit.system_us = 6;
  exit.peak_rss_bytes = 1 << 30;
  exit.note = "back\\slash and\nnewline";
  exit.last_log = "a\n\nb\\n\n";
  return exit;
}

TEST(ShimProtocol, ExitRecord_ComesBackAsItWas) {
  EXPECT_EQ(DecodeExit(EncodeExit(Sample())), Sample());
  EXPECT_EQ(DecodeExit(EncodeExit(ShimExit{})), ShimExit{});
}

TEST(ShimProtocol, ExitRecord_CutShortAnywhere_IsRefused) {
  std::string whole = EncodeExit(Sample());
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(DecodeExit(whole.substr(0, size)).has_value()) << size;
  }
}

TEST(ShimProtocol, ExitRecord_UnknownKeysAreSkipped) {
  std::string text = EncodeExit(Sample());
  text.insert(text.size() - 4, "later_key 1\n");
  EXPECT_EQ(DecodeExit(text), Sample());
}

TEST(ShimProtocol, Escape_MakesOneLineOfAnyText) {
  std::string text = "a\n\\n\\\n";
  EXPECT_EQ(EscapeLine(text).find('\n'), std::string::npos);
  EXPECT_EQ(UnescapeLine(EscapeLine(text)), text);
}

TEST(ShimProtocol, Identity_ComesBackAsItWas) {
  ProcessIdentity identity{4711, 123456, "5b1f9ab4"};
  EXPECT_EQ(DecodeIdentity(EncodeIdentity(identity)), identity);
  EXPECT_FALSE(DecodeIdentity("").has_value());
}

}  // namespace
}  // namespace coxswain::base
