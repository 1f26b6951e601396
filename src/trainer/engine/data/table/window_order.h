// The order of rows that are streamed: row groups in random order give a stream, which is cut into
// windows, and rows come in random order within each. Decided by the seed, the epoch, the rows of
// each group and the size of a window alone. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace coxswain::trainer::data {

struct GroupPlace {
  size_t group = 0;    // place in the epoch's order of groups
  int64_t offset = 0;  // rows of it that come before
};

class WindowOrder {
 public:
  // `rows`: of each group, at least 1. `window`: rows, at least 1.
  WindowOrder(std::vector<int64_t> rows, int64_t window, uint64_t seed);

  int64_t size() const { return size_; }
  int64_t windows() const { return (size_ + window_ - 1) / window_; }
  int64_t WindowOf(int64_t place) const { return place / window_; }
  int64_t WindowBegin(int64_t window) const { return window * window_; }
  int64_t WindowSize(int64_t window) const;

  // The groups of an epoch, in order; `epoch` below 0: as they are stored.
  std::vector<uint32_t> Groups(int64_t epoch) const;
  // Where a window begins in that order.
  GroupPlace Begin(int64_t window, const std::vector<uint32_t>& groups) const;
  // Which row of the window stands at each of its places; empty: each its own (`epoch` below 0).
  std::vector<uint32_t> Rows(int64_t epoch, int64_t window) const;

 private:
  const std::vector<int64_t> rows_;
  const int64_t window_;
  const uint64_t seed_;
  int64_t size_ = 0;
};

}  // namespace coxswain::trainer::data
