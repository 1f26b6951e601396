#include "trainer/engine/device/prefetch.h"

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <cstdlib>
#include <cstring>
#include <string_view>

namespace coxswain::trainer::engine {
namespace {

struct SentRows : data::Sent {
  RowTensors rows;
  std::optional<c10::Event> arrived;  // until somebody has waited for it
};

}  // namespace

Prefetch::Prefetch(at::Device device, const data::SampleShape& shape, at::ScalarType dtype)
    : device_(device), shape_(shape), dtype_(dtype) {
  if (device.is_cpu()) return;
  stream_ = c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device);
}

std::unique_ptr<data::Sent> Prefetch::Send(const data::Rows& rows) const {
  try {
    at::NoGradGuard no_grad;
    std::optional<c10::StreamGuard> on;
    if (stream_) on.emplace(*stream_);
    auto sent = std::make_unique<SentRows>();
    sent->rows = RowTensors::Of(rows, shape_, dtype_).Each([&](const at::Tensor& view) {
      // LibTorch keeps pinned memory for the next batch, once the copy from it has been done.
      const at::Tensor pinned =
          at::empty(view.sizes(), view.options().pinned_memory(stream_.has_value()));
      if (view.nbytes() > 0) {
        std::memcpy(pinned.mutable_data_ptr(), view.const_data_ptr(), view.nbytes());
      }
      return pinned.to(device_, view.scalar_type(), /*non_blocking=*/true);
    });
    if (stream_) sent->arrived.emplace(device_.type()).record(*stream_);
    return sent;
  } catch (const std::exception&) {
    return nullptr;
  }
}

RowTensors Prefetch::Arrived(data::Sent& sent) {
  auto& own = static_cast<SentRows&>(sent);
  if (own.arrived) {
    const at::Device device = own.arrived->device();
    const c10::Stream computes = c10::impl::VirtualGuardImpl(device.type()).getStream(device);
    own.arrived->block(computes);
    // Their memory is another stream's: it must not be given to the next batch before this one's
    // uses are over.
    own.rows.Each([&](const at::Tensor& each) {
      each.record_stream(computes);
      return each;
    });
    own.arrived.reset();
  }
  return own.rows;
}

bool Prefetch::Wanted() {
  const char* set = std::getenv("COX_GPU_PREFETCH");
  return set == nullptr || std::string_view(set) != "0";
}

}  // namespace coxswain::trainer::engine
