#include <unistd.h>

#include <algorithm>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include "trainer/engine/collective/byte_stream.h"
#include "trainer/engine/collective/group_store.h"
#include "trainer/engine/collective/reduced_group.h"
#include "trainer/engine/collective/shared_sum.h"

namespace coxswain::trainer::engine {
namespace {

constexpr uint64_t kGatherBytes = 4 << 20;  // of each rank, at a time

class PendingSum : public Group::Pending {
 public:
  explicit PendingSum(c10::intrusive_ptr<c10::ivalue::Future> sum) : sum_(std::move(sum)) {}
  void Wait() override { sum_->waitAndThrow(); }

 private:
  c10::intrusive_ptr<c10::ivalue::Future> sum_;
};

class GlooGroup : public ReducedGroup {
 public:
  GlooGroup(const GroupSettings& settings, const GroupLimits& limits,
            std::atomic<protocol::Phase>* phase)
      : ReducedGroup(phase), rank_(settings.rank), size_(settings.world_size) {
    c10::intrusive_ptr<c10d::Store> store = OpenGroupStore(settings, limits);
    auto options = c10d::ProcessGroupGloo::Options::create(Milliseconds(limits.form));
    options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(limits.address));
    int rank = static_cast<int>(rank_), size = static_cast<int>(size_);
    gloo_ = c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, options);
    gloo_->setTimeout(Milliseconds(limits.collective));
    auto group = c10::make_intrusive<c10d::ProcessGroup>(store, rank, size);
    group->setBackend(c10::DeviceType::CPU, c10d::ProcessGroup::BackendType::GLOO, gloo_);
    group->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
    SetProcessGroup(std::move(group));
    ShareMemory(*store, limits);
  }

  ~GlooGroup() override { DropReducer(); }

  uint32_t rank() const override { return rank_; }
  uint32_t size() const override { return size_; }

  std::unique_ptr<Pending> AllReduce(at::Tensor tensor) override {
    return std::make_unique<PendingSum>(Sum(std::move(tensor)));
  }

  void Broadcast(at::Tensor tensor, uint32_t root) override {
    std::vector<at::Tensor> tensors = {std::move(tensor)};
    c10d::BroadcastOptions options;
    options.rootRank = root;
    gloo_->broadcast(tensors, options)->wait();
  }

  void AllGather(const std::vector<std::vector<at::Tensor>>& parts) override {
    if (shared_ != nullptr) return shared_->StartGather(parts)->waitAndThrow();
    std::vector<ByteStream> streams;
    uint64_t most = 0;
    for (const std::vector<at::Tensor>& each : parts) {
      streams.emplace_back(each);
      most = std::max(most, streams.back().left());
    }
    const auto room = static_cast<int64_t>(std::min(most, kGatherBytes));
    at::Tensor own = at::zeros({room}, at::kByte),
               all = at::zeros({static_cast<int64_t>(size_), room}, at::kByte);
    std::vector<std::vector<at::Tensor>> outputs = {all.unbind(0)};
    std::vector<at::Tensor> inputs = {own};
    for (uint64_t done = 0; done < most; done += kGatherBytes) {
      streams[rank_].Read(kGatherBytes, static_cast<std::byte*>(own.data_ptr()));
      gloo_->allgather(outputs, inputs)->wait();
      for (uint32_t rank = 0; rank < size_; ++rank) {
        if (rank == rank_) continue;
        streams[rank].Write(kGatherBytes,
                            static_cast<const std::byte*>(outputs[0][rank].const_data_ptr()));
      }
    }
  }

 private:
  c10::intrusive_ptr<c10::ivalue::Future> Start(at::Tensor tensor) override {
    if (shared_ != nullptr) return shared_->Start(std::move(tensor));
    std::vector<at::Tensor> tensors = {std::move(tensor)};
    return gloo_->allreduce(tensors)->getFuture();
  }

  // If every rank can reach rank 0's memory, sums go through it from now on.
  void ShareMemory(c10d::Store& store, const GroupLimits& limits) {
    absl::StatusOr<std::unique_ptr<SharedSegment>> segment;
    if (rank_ == 0) {
      segment = absl::FailedPreconditionError("not wanted");
      if (limits.share_memory) segment = SharedSegment::Create(size_);
      store.set("memory", segment.ok() ? (*segment)->name() : "none");
    } else {
      segment = SharedSegment::Open(store.get_to_str("memory"), rank_, size_);
    }
    // [how many can, the process of each]
    at::Tensor census = at::zeros({1 + static_cast<int64_t>(size_)}, at::kLong);
    census[0] = segment.ok() ? 1 : 0;
    census[1 + static_cast<int64_t>(rank_)] = static_cast<int64_t>(getpid());
    std::vector<at::Tensor> tensors = {census};
    gloo_->allreduce(tensors)->wait();
    if (census[0].item<int64_t>() != static_cast<int64_t>(size_)) return;
    std::vector<pid_t> pids;
    for (int64_t i = 1; i < census.numel(); ++i) {
      pids.push_back(static_cast<pid_t>(census[i].item<int64_t>()));
    }
    absl::Status watched = (*segment)->WatchProcesses(pids);
    TORCH_CHECK_WITH(DistBackendError, watched.ok(), watched.ToString());
    shared_ =
        std::make_unique<SharedSum>(*std::move(segment), rank_, size_,
                                    SharedSegment::Patience{limits.given_up, limits.collective});
  }

  const uint32_t rank_, size_;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo_;
  std::unique_ptr<SharedSum> shared_;  // null: not all on one machine
};

class LoneGroup : public Group {
 public:
  uint32_t rank() const override { return 0; }
  uint32_t size() const override { return 1; }
  std::unique_ptr<Pending> AllReduce(at::Tensor) override {
    struct Done : Pending {
      void Wait() override {}
    };
    return std::make_unique<Done>();
  }
  void Broadcast(at::Tensor, uint32_t) override {}
  void AllGather(const std::vector<std::vector<at::Tensor>>&) override {}
  void Watch(const std::vector<at::Tensor>&) override {}
  void BeforeForward() override {}
  void BeforeBackward() override {}
  void MeasureBackward(bool) override {}
  double own_squares() const override { return 0; }
  bool failed() const override { return false; }
  base::Time last_bucket_at() const override { return {}; }
};

}  // namespace

std::unique_ptr<Group> FormGlooGroup(const GroupSettings& settings, const GroupLimits& limits,
                                     std::atomic<protocol::Phase>* phase) {
  return std::make_unique<GlooGroup>(settings, limits, phase);
}

std::unique_ptr<Group> MakeLoneGroup() { return std::make_unique<LoneGroup>(); }

}  // namespace coxswain::trainer::engine
