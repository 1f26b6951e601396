#include "trainer/engine/optim/slices.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace coxswain::trainer::engine {
namespace {

constexpr uint64_t kCutBytes = 64;

// Where in all parameters' bytes the part of `rank` begins.
uint64_t PartBegin(const std::vector<NamedTensor>& parameters, uint64_t total, uint32_t rank,
                   uint32_t ranks) {
  const auto even = static_cast<uint64_t>(static_cast<unsigned __int128>(total) * rank / ranks);
  uint64_t start = 0;
  for (const NamedTensor& each : parameters) {
    const uint64_t bytes = each.tensor.nbytes();
    if (even < start + bytes) return even - (even - start) % kCutBytes;
    start += bytes;
  }
  return total;
}

}  // namespace

std::vector<Slice> SlicesOf(const std::vector<NamedTensor>& parameters, uint32_t rank,
                            uint32_t ranks) {
  uint64_t total = 0;
  for (const NamedTensor& each : parameters) total += each.tensor.nbytes();
  const uint64_t begin = PartBegin(parameters, total, rank, ranks);
  const uint64_t end = PartBegin(parameters, total, rank + 1, ranks);
  std::vector<Slice> slices;
  uint64_t start = 0;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const uint64_t bytes = parameters[i].tensor.nbytes();
    const uint64_t from = std::max(begin, start), to = std::min(end, start + bytes);
    if (from < to) {
      const uint64_t element = parameters[i].tensor.element_size();
      slices.push_back({i, static_cast<int64_t>((from - start) / element),
                        static_cast<int64_t>((to - start) / element)});
    }
    start += bytes;
  }
  return slices;
}

at::Tensor PartOf(const at::Tensor& tensor, const Slice& slice) {
  if (slice.begin == 0 && slice.end == tensor.numel()) return tensor;
  return tensor.reshape({-1}).narrow(0, slice.begin, slice.end - slice.begin);
}

}  // namespace coxswain::trainer::engine
