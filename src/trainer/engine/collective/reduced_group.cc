#include "trainer/engine/collective/reduced_group.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "common/base/clock.h"

namespace coxswain::trainer::engine {
namespace {

// PyTorch DDP's own: a small first bucket so that reducing begins early.
constexpr int64_t kFirstBucketBytes = 1 << 20;
constexpr int64_t kBucketBytes = 25 << 20;

}  // namespace

// Sums buckets, and notes when backward has nothing more of its own to do.
class ReducedGroup::SumHook : public c10d::CommHookInterface {
 public:
  explicit SumHook(ReducedGroup* group) : group_(group) {}
  c10::intrusive_ptr<c10::ivalue::Future> runHook(c10d::GradBucket& bucket) override {
    at::Tensor& values = bucket.getBufferRef();
    BucketWatch& watch = group_->watch_;
    if (watch.measure) watch.squares += values.dot(values).item<double>();
    auto future = group_->Sum(values);
    if (bucket.isLast()) {
      watch.last_bucket_at = base::MonotonicNow();
      watch.phase->store(protocol::Phase::kAllReduce, std::memory_order_relaxed);
    }
    return future;
  }
  at::Tensor parseHookResult(const c10::IValue& result) override {
    return c10d::detail::parseCppCommHookResult(result);
  }

 private:
  ReducedGroup* const group_;
};

ReducedGroup::ReducedGroup(std::atomic<protocol::Phase>* phase) { watch_.phase = phase; }

void ReducedGroup::Watch(const std::vector<at::Tensor>& parameters) {
  DropReducer();
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
  reducer_->register_comm_hook(std::make_unique<SumHook>(this));
}

c10::intrusive_ptr<c10::ivalue::Future> ReducedGroup::Sum(at::Tensor tensor) {
  refused_ = true;  // should this throw
  sums_.push_back(Start(std::move(tensor)));
  refused_ = false;
  return sums_.back();
}

bool ReducedGroup::failed() const {
  return refused_ ||
         std::any_of(sums_.begin(), sums_.end(), [](const auto& sum) { return sum->hasError(); });
}

void ReducedGroup::BeforeForward() {
  sums_.clear();
  reducer_->rebuild_buckets();  // once, into the order in which gradients became ready
  reducer_->prepare_for_forward();
}

void ReducedGroup::MeasureBackward(bool wanted) {
  watch_.measure = wanted;
  watch_.squares = 0;
}

}  // namespace coxswain::trainer::engine
