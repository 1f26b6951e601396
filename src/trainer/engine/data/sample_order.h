// Which samples a step uses, and which part of them a rank takes.
//
// The order of an epoch is a permutation given by (seed, epoch) alone. A position counts samples
// over all epochs; sample `order[position % size]` of epoch `position / size` stands at it. Nothing
// here depends on the number of ranks but Share, so a run may go on with other ranks and still use
// every sample of an epoch exactly once.
#pragma once

#include <cstdint>
#include <vector>

namespace coxswain::trainer::data {

// A permutation of 0 .. size-1 (Fisher and Yates, Durstenfeld 1964).
std::vector<uint32_t> EpochOrder(uint64_t seed, int64_t epoch, int64_t size);

// The order of one epoch after another, of a set whose samples are all in memory. One thread.
class OrderInMemory {
 public:
  OrderInMemory(uint64_t seed, int64_t size) : seed_(seed), size_(size) {}
  // Which sample stands at `place`. `epoch` below 0: as they are stored.
  int64_t At(int64_t epoch, int64_t place);

 private:
  const uint64_t seed_;
  const int64_t size_;
  int64_t epoch_ = -1;  // of order_
  std::vector<uint32_t> order_;
};

// Samples [begin, end) of a global batch.
struct Share {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
  friend bool operator==(const Share&, const Share&) = default;
};

// What `rank` takes of a global batch. `micro_batch` > 0: whole canonical micro-batches (the batch
// cut every `micro_batch` samples, the last one smaller); 0: split evenly by samples. May be empty.
Share ShareOfBatch(int64_t batch, int64_t micro_batch, uint32_t rank, uint32_t world_size);

}  // namespace coxswain::trainer::data
