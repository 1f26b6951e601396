#include "common/base/environment.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace coxswain::base {
namespace {

TEST(Environment, ValuesMayHoldEqualsSignsAndNothing) {
  setenv("COXSWAIN_TEST_SOME", "a=b", 1);
  setenv("COXSWAIN_TEST_NONE", "", 1);
  const std::map<std::string, std::string> all = OwnEnvironment();
  EXPECT_EQ(all.at("COXSWAIN_TEST_SOME"), "a=b");
  EXPECT_EQ(all.at("COXSWAIN_TEST_NONE"), "");
  unsetenv("COXSWAIN_TEST_SOME");
  EXPECT_FALSE(OwnEnvironment().contains("COXSWAIN_TEST_SOME"));
}

}  // namespace
}  // namespace coxswain::base
