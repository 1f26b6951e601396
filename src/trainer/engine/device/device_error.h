// CUDA's errors, told apart: a want of memory, a GPU that is lost, and the rest.
#pragma once

#include <exception>

namespace coxswain::trainer::engine {

enum class DeviceTrouble {
  kNone,         // none of the device, or one after which it can be used as before
  kOutOfMemory,  // CUDA or one of its libraries found none
  // Every later call of this process gives the same error ("sticky": the context is gone), or there
  // is no such GPU any more. Another process, or another GPU, may do.
  kLost,
  kAssertion,  // a check in a kernel failed (an index out of range): sticky too, but a bug
};

// Of what LibTorch has thrown: by CUDA's error code (cudaError_t) where it comes with one, else by
// the words that CUDA, cuBLAS and cuDNN use.
DeviceTrouble TroubleOf(const std::exception& error);

}  // namespace coxswain::trainer::engine
