#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>

#include "common/base/clock.h"
#include "trainer/engine/collective/byte_stream.h"
#include "trainer/engine/collective/group.h"
#include "trainer/engine/collective/shared_sum.h"

namespace coxswain::trainer::engine {
namespace {

// PyTorch DDP's own: a small first bucket so that reducing begins early.
constexpr int64_t kFirstBucketBytes = 1 << 20;
constexpr int64_t kBucketBytes = 25 << 20;
constexpr uint64_t kGatherBytes = 4 << 20;  // of each rank, at a time

std::chrono::milliseconds Milliseconds(base::Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration);
}

// What the hook of a step's buckets needs of its group, which owns the hook's reducer.
struct BucketWatch {
  std::function<c10::intrusive_ptr<c10::ivalue::Future>(at::Tensor)> sum;
  std::atomic<protocol::Phase>* phase = nullptr;
  base::Time last_bucket_at;
  bool measure = false;
  double squares = 0;  // of this rank's own gradients, while measuring
};

// Sums buckets, and notes when backward has nothing more of its own to do.
class SumHook : public c10d::CommHookInterface {
 public:
  explicit SumHook(BucketWatch* watch) : watch_(watch) {}
  c10::intrusive_ptr<c10::ivalue::Future> runHook(c10d::GradBucket& bucket) override {
    at::Tensor& values = bucket.getBufferRef();
    if (watch_->measure) watch_->squares += values.dot(values).item<double>();
    auto future = watch_->sum(values);
    if (bucket.isLast()) {
      watch_->last_bucket_at = base::MonotonicNow();
      watch_->phase->store(protocol::Phase::kAllReduce, std::memory_order_relaxed);
    }
    return future;
  }
  at::Tensor parseHookResult(const c10::IValue& result) override {
    return c10d::detail::parseCppCommHookResult(result);
  }

 private:
  BucketWatch* const watch_;
};

class PendingSum : public Group::Pending {
 public:
  explicit PendingSum(c10::intrusive_ptr<c10::ivalue::Future> sum) : sum_(std::move(sum)) {}
  void Wait() override { sum_->waitAndThrow(); }

 private:
  c10::intrusive_ptr<c10::ivalue::Future> sum_;
};

class GlooGroup : public Group {
 public:
  GlooGroup(const GroupSettings& settings, const GroupLimits& limits,
            std::atomic<protocol::Phase>* phase)
      : rank_(settings.rank), size_(settings.world_size) {
    auto tcp = OpenStore(settings, limits);
    auto store = c10::make_intrusive<c10d::PrefixStore>(
        "g" + std::to_string(settings.generation.value), tcp);
    auto options = c10d::ProcessGroupGloo::Options::create(Milliseconds(limits.form));
    options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(limits.address));
    int rank = static_cast<int>(rank_), size = static_cast<int>(size_);
    gloo_ = c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, options);
    gloo_->setTimeout(Milliseconds(limits.collective));
    group_ = c10::make_intrusive<c10d::ProcessGroup>(store, rank, size);
    group_->setBackend(c10::DeviceType::CPU, c10d::ProcessGroup::BackendType::GLOO, gloo_);
    group_->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
    ShareMemory(*store, limits);
    watch_.sum = [this](at::Tensor tensor) { return Sum(std::move(tensor)); };
    watch_.phase = phase;
  }

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

  void Watch(const std::vector<at::Tensor>& parameters) override {
    std::vector<bool> sparse(parameters.size(), false);
    std::vector<int64_t> caps = {kFirstBucketBytes, kBucketBytes};
    auto buckets = std::get<0>(c10d::compute_bucket_assignment_by_size(
        parameters, {kFirstBucketBytes, kBucketBytes}, sparse));
    // Gradients come last layer first.
    std::reverse(buckets.begin(), buckets.end());
    reducer_ = std::make_unique<c10d::Reducer>(
        parameters, std::move(buckets), group_, std::move(sparse), kBucketBytes,
        /*find_unused_parameters=*/false, /*gradient_as_bucket_view=*/true,
        std::unordered_map<size_t, std::string>(), kFirstBucketBytes,
        /*skip_all_reduce_unused_params=*/false, /*use_python_reducer=*/false, std::move(caps));
    reducer_->register_comm_hook(std::make_unique<SumHook>(&watch_));
  }

  void BeforeForward() override {
    sums_.clear();
    reducer_->rebuild_buckets();  // once, into the order in which gradients became ready
    reducer_->prepare_for_forward();
  }
  void BeforeBackward() override { reducer_->prepare_for_backward({}); }
  void MeasureBackward(bool wanted) override {
    watch_.measure = wanted;
    watch_.squares = 0;
  }
  double own_squares() const override { return watch_.squares; }
  base::Time last_bucket_at() const override { return watch_.last_bucket_at; }
  bool failed() const override {
    return refused_ ||
           std::any_of(sums_.begin(), sums_.end(), [](const auto& sum) { return sum->hasError(); });
  }

 private:
  c10::intrusive_ptr<c10::ivalue::Future> Sum(at::Tensor tensor) {
    refused_ = true;  // should this throw
    sums_.push_back(Start(std::move(tensor)));
    refused_ = false;
    return sums_.back();
  }

  c10::intrusive_ptr<c10::ivalue::Future> Start(at::Tensor tensor) {
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

  static c10::intrusive_ptr<c10d::Store> OpenStore(const GroupSettings& settings,
                                                   const GroupLimits& limits) {
    c10d::TCPStoreOptions options;
    options.port = settings.store_port;
    options.isServer = settings.rank == 0;
    options.waitWorkers = false;
    options.timeout = Milliseconds(limits.form);
    const std::string open = "open " + std::to_string(settings.generation.value);
    if (options.isServer) {
      // The store closes what it is given; the rank's address must outlive it.
      options.masterListenFd = dup(settings.store_fd);
      auto store = c10::make_intrusive<c10d::TCPStore>(settings.store_host, options);
      store->set(open, std::vector<uint8_t>{1});
      return store;
    }
    // That address serves all generations: a rank that is quicker than rank 0 meets the store of
    // the group before, and is cut off when that ends.
    const base::Time until = base::MonotonicNow() + limits.form;
    for (;;) {
      try {
        auto store = c10::make_intrusive<c10d::TCPStore>(settings.store_host, options);
        while (!store->check({open})) Rest(limits, until);
        return store;
      } catch (const c10::DistNetworkError&) {
        Rest(limits, until);
      }
    }
  }

  static void Rest(const GroupLimits& limits, base::Time until) {
    TORCH_CHECK_WITH(DistBackendError, !limits.given_up(), "the group was given up");
    TORCH_CHECK_WITH(DistBackendError, base::MonotonicNow() < until,
                     "rank 0 did not open the group's store in time");
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }

  const uint32_t rank_, size_;
  BucketWatch watch_;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo_;
  c10::intrusive_ptr<c10d::ProcessGroup> group_;
  std::unique_ptr<SharedSum> shared_;  // null: not all on one machine
  std::unique_ptr<c10d::Reducer> reducer_;
  std::vector<c10::intrusive_ptr<c10::ivalue::Future>> sums_;  // of the present step
  bool refused_ = false;                                       // a sum could not be begun
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
