#include "metric_chain.h"

#include <gtest/gtest.h>

namespace coxswain {
namespace {

// No holes but for what died with its process or its disk, and nothing twice.
TEST(MetricChain, WhateverBreaks_WhatWasMeasuredIsStoredOnce) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    MetricChain chain(seed);
    chain.Run();
    ASSERT_EQ(chain.WhatIsWrong(), "") << "seed " << seed;
  }
}

}  // namespace
}  // namespace coxswain
