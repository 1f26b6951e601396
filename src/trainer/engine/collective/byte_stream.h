// Several tensors' bytes, one after another, read or written piece by piece.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

namespace coxswain::trainer::engine {

class ByteStream {
 public:
  // Without gaps, on the CPU.
  explicit ByteStream(std::vector<at::Tensor> tensors) : tensors_(std::move(tensors)) {
    for (const at::Tensor& each : tensors_) left_ += each.nbytes();
  }

  uint64_t left() const { return left_; }
  // The next `bytes`, or as many as are left; returns how many.
  uint64_t Read(uint64_t bytes, std::byte* to) {
    return Move(bytes, [&](std::byte* here, uint64_t done, uint64_t count) {
      std::memcpy(to + done, here, count);
    });
  }
  uint64_t Write(uint64_t bytes, const std::byte* from) {
    return Move(bytes, [&](std::byte* here, uint64_t done, uint64_t count) {
      std::memcpy(here, from + done, count);
    });
  }

 private:
  template <class Copy>
  uint64_t Move(uint64_t bytes, Copy copy) {
    bytes = std::min(bytes, left_);
    for (uint64_t done = 0; done < bytes;) {
      const at::Tensor& tensor = tensors_[next_];
      const uint64_t count = std::min(bytes - done, tensor.nbytes() - at_);
      if (count > 0) copy(static_cast<std::byte*>(tensor.data_ptr()) + at_, done, count);
      done += count;
      at_ += count;
      if (at_ < tensor.nbytes()) continue;
      ++next_;
      at_ = 0;
    }
    left_ -= bytes;
    return bytes;
  }

  std::vector<at::Tensor> tensors_;
  size_t next_ = 0;
  uint64_t at_ = 0;  // in tensors_[next_]
  uint64_t left_ = 0;
};

}  // namespace coxswain::trainer::engine
