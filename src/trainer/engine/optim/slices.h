// Which parameters' optimizer state a rank keeps when it is sharded (ZeRO stage 1: Rajbhandari et
// al. 2020), and which of them it updates. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "trainer/engine/model/model.h"

namespace coxswain::trainer::engine {

// Elements [begin, end) of a parameter, row by row.
struct Slice {
  size_t parameter = 0;
  int64_t begin = 0, end = 0;
  friend bool operator==(const Slice&, const Slice&) = default;
};

// The parameters, end to end, are split evenly by bytes over the ranks; at most one slice of each,
// in their order. A cut within a parameter is at a multiple of 64 bytes of it: so each element is
// in the same place of a vector register as it is without a cut, and comes out with the same bits.
std::vector<Slice> SlicesOf(const std::vector<NamedTensor>& parameters, uint32_t rank,
                            uint32_t ranks);

// That part of `tensor`, in the same memory: itself if it is all, otherwise with one dimension.
at::Tensor PartOf(const at::Tensor& tensor, const Slice& slice);

}  // namespace coxswain::trainer::engine
