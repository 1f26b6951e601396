#include "trainer/engine/device/device_error.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <iterator>
#include <string_view>

namespace coxswain::trainer::engine {
namespace {

// cudaError_t, of CUDA's runtime API; numbers, since the engine is built without CUDA.
constexpr int kMemoryAllocation = 2;
constexpr int kAssert = 710;
constexpr int kLost[] = {
    46,   // cudaErrorDevicesUnavailable
    100,  // cudaErrorNoDevice
    101,  // cudaErrorInvalidDevice
    214,  // cudaErrorECCUncorrectable
    220,  // cudaErrorNvlinkUncorrectable
    226,  // cudaErrorContained
    700,  // cudaErrorIllegalAddress
    702,  // cudaErrorLaunchTimeout
    709,  // cudaErrorContextIsDestroyed
    714,  // cudaErrorHardwareStackError
    715,  // cudaErrorIllegalInstruction
    716,  // cudaErrorMisalignedAddress
    717,  // cudaErrorInvalidAddressSpace
    718,  // cudaErrorInvalidPc
    719,  // cudaErrorLaunchFailure
    721,  // cudaErrorTensorMemoryLeak
    999,  // cudaErrorUnknown
};

// As cudaGetErrorString has them, and the libraries' names of theirs.
constexpr std::string_view kMemoryWords[] = {
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED",
};
constexpr std::string_view kLostWords[] = {
    "an illegal memory access was encountered",
    "an illegal instruction was encountered",
    "misaligned address",
    "operation not supported on global/shared address space",
    "invalid program counter",
    "hardware stack error",
    "unspecified launch failure",
    "the launch timed out and was terminated",
    "uncorrectable ECC error encountered",
    "uncorrectable NVLink error detected",
    "context is destroyed",
    "CUDA-capable device(s) is/are busy or unavailable",
    "no CUDA-capable device is detected",
    "GPU is lost",
    "CUBLAS_STATUS_EXECUTION_FAILED",
    "CUDNN_STATUS_EXECUTION_FAILED",
};

template <size_t n>
bool HasAny(std::string_view text, const std::string_view (&words)[n]) {
  return std::any_of(std::begin(words), std::end(words), [&](std::string_view each) {
    return text.find(each) != std::string_view::npos;
  });
}

}  // namespace

DeviceTrouble TroubleOf(const std::exception& error) {
  if (const auto* coded = dynamic_cast<const c10::AcceleratorError*>(&error)) {
    const int code = coded->get_error_code();
    if (code == kMemoryAllocation) return DeviceTrouble::kOutOfMemory;
    if (code == kAssert) return DeviceTrouble::kAssertion;
    const bool lost = std::find(std::begin(kLost), std::end(kLost), code) != std::end(kLost);
    return lost ? DeviceTrouble::kLost : DeviceTrouble::kNone;
  }
  const std::string_view text = error.what();
  if (text.find("device-side assert triggered") != text.npos) return DeviceTrouble::kAssertion;
  if (HasAny(text, kMemoryWords)) return DeviceTrouble::kOutOfMemory;
  return HasAny(text, kLostWords) ? DeviceTrouble::kLost : DeviceTrouble::kNone;
}

}  // namespace coxswain::trainer::engine
