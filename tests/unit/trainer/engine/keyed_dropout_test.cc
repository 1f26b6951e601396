#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "trainer/engine/model/layers.h"

namespace coxswain::trainer::engine {
namespace {

// What a GPU draws by whole tensors is what a CPU draws one by one.
TEST(KeyedDropout, TheMaskIsTheSameWhereverItIsDrawn) {
  for (double drop : {0.1, 0.5, 0.999}) {
    for (uint64_t seed : {uint64_t{0}, uint64_t{17}, ~uint64_t{0}}) {
      const at::Tensor ones = at::ones({7, 33}, at::kDouble);
      const at::Tensor one_by_one = KeyedDropout(ones, drop, seed, 1'000'000'007);
      const at::Tensor whole = KeyedMask(7, 33, 1 - drop, seed, 1'000'000'007, ones.options());
      EXPECT_TRUE(at::equal(one_by_one, whole)) << drop << " " << seed;
      EXPECT_GT(at::count_nonzero(whole).item<int64_t>() + (drop > 0.9 ? 1 : 0), 0);
    }
  }
}

}  // namespace
}  // namespace coxswain::trainer::engine
