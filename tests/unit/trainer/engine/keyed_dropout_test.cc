#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "trainer/engine/model/layers.h"
#include "trainer/engine/model/model.h"

namespace coxswain::trainer::engine {
namespace {

// What a GPU draws by whole tensors is what a CPU draws one by one.
TEST(KeyedDropout, TheMaskIsTheSameWhereverItIsDrawn) {
  for (double drop : {0.1, 0.5, 0.999}) {
    for (uint64_t seed : {uint64_t{0}, uint64_t{17}, ~uint64_t{0}}) {
      const at::Tensor ones = at::ones({7, 33}, at::kDouble);
      ForwardPass pass;
      pass.position = 1'000'000'007;
      const at::Tensor one_by_one = KeyedDropout(ones, drop, seed, pass);
      const at::Tensor rows = at::arange(pass.position, pass.position + 7, at::kLong);
      const at::Tensor whole = KeyedMask(rows, 33, 1 - drop, seed, at::kDouble);
      EXPECT_TRUE(at::equal(one_by_one, whole)) << drop << " " << seed;
      pass.first = at::full({}, pass.position, at::kLong);
      pass.position = 3;  // of no account then
      EXPECT_TRUE(at::equal(one_by_one, KeyedDropout(ones, drop, seed, pass)));
      EXPECT_GT(at::count_nonzero(whole).item<int64_t>() + (drop > 0.9 ? 1 : 0), 0);
    }
  }
}

}  // namespace
}  // namespace coxswain::trainer::engine
