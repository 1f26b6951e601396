#include "trainer/engine/device/host_copies.h"

#include <ATen/ATen.h>

#include <cstring>

namespace coxswain::trainer::engine {

const char* HostCopies::Bytes(const at::Tensor& tensor) {
  if (tensor.is_cpu() && !all_) return static_cast<const char*>(tensor.const_data_ptr());
  Copy& copy = copies_[tensor.const_data_ptr()];
  if (copy.version != version_) {
    if (!copy.host.defined() || copy.host.sizes() != tensor.sizes() ||
        copy.host.scalar_type() != tensor.scalar_type()) {
      // Pinned: the GPU writes there by itself.
      copy.host = at::empty(
          tensor.sizes(),
          at::TensorOptions().dtype(tensor.scalar_type()).pinned_memory(tensor.is_cuda()));
    }
    copy.host.copy_(tensor.detach());
    copy.version = version_;
  }
  return static_cast<const char*>(copy.host.const_data_ptr());
}

void TakeBytes(const at::Tensor& tensor, const char* bytes) {
  if (tensor.is_cpu()) {
    std::memcpy(tensor.mutable_data_ptr(), bytes, tensor.nbytes());
    return;
  }
  const at::TensorOptions here = at::TensorOptions().dtype(tensor.scalar_type());
  tensor.copy_(at::from_blob(const_cast<char*>(bytes), tensor.sizes(), here));
}

}  // namespace coxswain::trainer::engine
