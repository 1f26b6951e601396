// LibTorch's door: what it throws becomes a status.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include <new>
#include <string>

#include "absl/status/status.h"
#include "trainer/engine/device/device_error.h"
#include "trainer/engine/model/user_error.h"
#include "trainer/engine/training/training_engine.h"

namespace coxswain::trainer::engine {

template <class Work>
absl::Status TrainingEngine::Guard(absl::StatusCode code, Work work) {
  auto first_line = [](std::string text) { return text.substr(0, text.find('\n')); };
  try {
    work();
    return absl::OkStatus();
  } catch (const UserError& error) {
    return absl::InvalidArgumentError(error.what());
  } catch (const c10::OutOfMemoryError& error) {
    return absl::ResourceExhaustedError("out of memory: " +
                                        first_line(error.what_without_backtrace()));
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  } catch (const std::exception& error) {
    const auto* own = dynamic_cast<const c10::Error*>(&error);
    const std::string text = first_line(own ? own->what_without_backtrace() : error.what());
    const DeviceTrouble trouble = TroubleOf(error);
    if (trouble == DeviceTrouble::kLost) return OfLostGpu(text);
    if (trouble == DeviceTrouble::kAssertion) return absl::InternalError(text);
    if (trouble == DeviceTrouble::kOutOfMemory ||
        text.find("DefaultCPUAllocator") != std::string::npos) {
      return absl::ResourceExhaustedError("out of memory: " + text);
    }
    return absl::Status(code, text);
  }
}

inline bool IsLostGpu(const absl::Status& status) { return absl::IsCancelled(status); }

// A store that is away is no peer that is gone.
inline absl::Status OfData(const absl::Status& status) {
  const std::string text(status.message());
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      return absl::DeadlineExceededError(text);
    case absl::StatusCode::kNotFound:
      return absl::FailedPreconditionError(
          text + "; it was there when this attempt began: put it back as it was");
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return absl::FailedPreconditionError(text + "; it could be read when this attempt began");
    case absl::StatusCode::kInvalidArgument:
      return absl::FailedPreconditionError(text);
    default:
      return status;
  }
}

}  // namespace coxswain::trainer::engine
