#include "trainer/engine/collective/gpu_group.h"

#include <ATen/ATen.h>

#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "trainer/engine/collective/group_store.h"
#include "trainer/engine/collective/reduced_group.h"

namespace coxswain::trainer::engine {
namespace {

using WorkPtr = c10::intrusive_ptr<c10d::Work>;

class GpuGroup : public ReducedGroup {
 public:
  GpuGroup(const GroupSettings& settings, const GroupLimits& limits,
           std::atomic<protocol::Phase>* phase, Gpu& gpu)
      : ReducedGroup(phase),
        rank_(settings.rank),
        size_(settings.world_size),
        limits_(limits),
        device_(gpu.device()) {
    c10::intrusive_ptr<c10d::Store> store = OpenGroupStore(settings, limits);
    int rank = static_cast<int>(rank_), size = static_cast<int>(size_);
    nccl_ = gpu.MakeBackend(store, rank, size, Milliseconds(limits.collective));
    auto group = c10::make_intrusive<c10d::ProcessGroup>(store, rank, size);
    group->setBackend(c10::DeviceType::CUDA, c10d::ProcessGroup::BackendType::NCCL, nccl_);
    group->setDefaultBackend(c10d::ProcessGroup::BackendType::NCCL);
    SetProcessGroup(std::move(group));
  }
  // Nobody waits for what is still under way: peers may be gone.
  ~GpuGroup() override {
    DropReducer();
    try {
      nccl_->abort();
    } catch (const std::exception&) {  // it was broken before
    }
  }

  uint32_t rank() const override { return rank_; }
  uint32_t size() const override { return size_; }

  std::unique_ptr<Pending> AllReduce(at::Tensor tensor) override {
    at::Tensor moved = tensor.to(device_);
    std::vector<at::Tensor> tensors = {moved};
    return std::make_unique<PendingWork>(this, nccl_->allreduce(tensors), std::move(tensor),
                                         std::move(moved));
  }

  void Broadcast(at::Tensor tensor, uint32_t root) override {
    at::Tensor moved = tensor.to(device_);
    std::vector<at::Tensor> tensors = {moved};
    c10d::BroadcastOptions options;
    options.rootRank = root;
    PendingWork(this, nccl_->broadcast(tensors, options), std::move(tensor), std::move(moved))
        .Wait();
  }

  void AllGather(const std::vector<std::vector<at::Tensor>>&) override {
    TORCH_CHECK(false, "a sharded optimizer is not for GPUs yet");
  }

 private:
  // Everything that was handed to NCCL before it has ended too: one queue on the GPU.
  class PendingWork : public Pending {
   public:
    PendingWork(GpuGroup* group, WorkPtr work, at::Tensor tensor, at::Tensor moved)
        : group_(group),
          work_(std::move(work)),
          tensor_(std::move(tensor)),
          moved_(std::move(moved)) {}
    void Wait() override {
      group_->Finish(work_);
      if (group_->last_ != nullptr) group_->Finish(std::exchange(group_->last_, nullptr));
      if (!tensor_.is_same(moved_)) tensor_.copy_(moved_);
    }

   private:
    GpuGroup* const group_;
    WorkPtr work_;
    at::Tensor tensor_, moved_;
  };

  c10::intrusive_ptr<c10::ivalue::Future> Start(at::Tensor tensor) override {
    std::vector<at::Tensor> tensors = {std::move(tensor)};
    last_ = nccl_->allreduce(tensors);
    return last_->getFuture();
  }

  // Returns when it is done on the GPU; a wait on the stream alone would never return from a
  // collective that cannot end.
  void Finish(const WorkPtr& work) {
    const base::Time until = base::MonotonicNow() + limits_.collective;
    for (int looks = 0; !work->isCompleted(); ++looks) {
      const bool late = base::MonotonicNow() > until;
      if (late || limits_.given_up()) {
        nccl_->abort();
        TORCH_CHECK_WITH(DistBackendError, false,
                         late ? "a collective took too long" : "the group was given up");
      }
      // Most end within some microseconds.
      if (looks > 1000) std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    if (work->exception()) std::rethrow_exception(work->exception());
  }

  const uint32_t rank_, size_;
  const GroupLimits limits_;
  const at::Device device_;
  c10::intrusive_ptr<c10d::Backend> nccl_;
  WorkPtr last_;  // of the gradients' sums
};

}  // namespace

std::unique_ptr<Group> FormGpuGroup(const GroupSettings& settings, const GroupLimits& limits,
                                    std::atomic<protocol::Phase>* phase, Gpu& gpu) {
  return std::make_unique<GpuGroup>(settings, limits, phase, gpu);
}

}  // namespace coxswain::trainer::engine
