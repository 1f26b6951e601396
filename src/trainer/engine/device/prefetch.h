// Batches go to the GPU while it computes the ones before: from pinned memory, on a stream of their
// own.
//
// Threads: Send on the loader's, Arrived on the engine's.
#pragma once

#include <c10/core/Stream.h>

#include <memory>
#include <optional>

#include "trainer/engine/data/batch_loader.h"
#include "trainer/engine/device/row_tensors.h"

namespace coxswain::trainer::engine {

class Prefetch {
 public:
  // With the CPU as device (tests) copies are plain ones.
  Prefetch(at::Device device, const data::SampleShape& shape, at::ScalarType dtype);

  // Begins to copy these rows, which may change as soon as it returns. Null: it could not, most
  // likely for want of memory; the step then copies them itself, and its error is the one to tell.
  std::unique_ptr<data::Sent> Send(const data::Rows& rows) const;
  // What Send gave. All that this thread tells the GPU from now on finds it there.
  static RowTensors Arrived(data::Sent& sent);

  // The variable COX_GPU_PREFETCH of a rank is not 0: to find out what it is worth.
  static bool Wanted();

 private:
  const at::Device device_;
  const data::SampleShape shape_;
  const at::ScalarType dtype_;
  std::optional<c10::Stream> stream_;  // none: the CPU
};

}  // namespace coxswain::trainer::engine
