// Which elements each rank keeps the optimizer's state of.
#include "trainer/engine/optim/slices.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace coxswain::trainer::engine {
namespace {

TEST(Slices, AnyNumberOfRanks_EveryElementOnceEvenlyAndCutsAtRegisters) {
  std::vector<NamedTensor> parameters;
  for (int64_t size : {1000, 3, 0, 17, 64, 5000, 1}) {
    parameters.push_back({"p", at::zeros({size}, size % 2 == 0 ? at::kFloat : at::kDouble)});
  }
  uint64_t total = 0;
  for (const NamedTensor& each : parameters) total += each.tensor.nbytes();
  for (uint32_t ranks = 1; ranks <= 9; ++ranks) {
    std::vector<int64_t> next(parameters.size(), 0);
    for (uint32_t rank = 0; rank < ranks; ++rank) {
      uint64_t bytes = 0;
      for (const Slice& slice : SlicesOf(parameters, rank, ranks)) {
        const at::Tensor& of = parameters[slice.parameter].tensor;
        EXPECT_EQ(slice.begin, next[slice.parameter]);
        EXPECT_EQ(slice.begin * of.element_size() % 64, 0);
        next[slice.parameter] = slice.end;
        bytes += static_cast<uint64_t>(slice.end - slice.begin) * of.element_size();
        EXPECT_EQ(PartOf(of, slice).numel(), slice.end - slice.begin);
      }
      EXPECT_LE(bytes, total / ranks + 64);
      EXPECT_GE(bytes + 64, total / ranks);
    }
    for (size_t i = 0; i < parameters.size(); ++i) EXPECT_EQ(next[i], parameters[i].tensor.numel());
  }
}

}  // namespace
}  // namespace coxswain::trainer::engine
