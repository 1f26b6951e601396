// The bytes of tensors, wherever those are: of ones on a GPU a copy that stays until they change.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>

namespace coxswain::trainer::engine {

class HostCopies {
 public:
  // Valid until Forget, or with a tensor in the machine's own memory as long as that is.
  const char* Bytes(const at::Tensor& tensor);
  // For tests: of tensors in the machine's own memory, too.
  void CopyAll() { all_ = true; }
  // The tensors have changed. Their copies' memory is kept for the next ones.
  void Forget() { ++version_; }

 private:
  struct Copy {
    at::Tensor host;
    uint64_t version = 0;
  };
  std::map<const void*, Copy> copies_;  // by where the tensor is
  uint64_t version_ = 1;
  bool all_ = false;
};

// Row-major bytes into a tensor, wherever that is.
void TakeBytes(const at::Tensor& tensor, const char* bytes);

}  // namespace coxswain::trainer::engine
