// What groups over c10d's process groups have in common: the reducer that sums gradients, bucket by
// bucket, while backward runs.
#pragma once

#include <atomic>
#include <memory>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>
#include <vector>

#include "trainer/engine/collective/group.h"

namespace coxswain::trainer::engine {

class ReducedGroup : public Group {
 public:
  // `phase` is set to kAllReduce once a step's last bucket is on its way.
  explicit ReducedGroup(std::atomic<protocol::Phase>* phase);

  void Watch(const std::vector<at::Tensor>& parameters) override;
  void BeforeForward() override;
  void BeforeBackward() override { reducer_->prepare_for_backward({}); }
  void MeasureBackward(bool wanted) override;
  double own_squares() const override { return watch_.squares; }
  base::Time last_bucket_at() const override { return watch_.last_bucket_at; }
  bool failed() const override;

 protected:
  // Before the first Watch.
  void SetProcessGroup(c10::intrusive_ptr<c10d::ProcessGroup> group) { group_ = std::move(group); }
  // Over all ranks, in place: begun by Start.
  c10::intrusive_ptr<c10::ivalue::Future> Sum(at::Tensor tensor);
  virtual c10::intrusive_ptr<c10::ivalue::Future> Start(at::Tensor tensor) = 0;
  // The reducer goes before what it sums by.
  void DropReducer() {
    sums_.clear();
    reducer_.reset();
  }

 private:
  class SumHook;

  // What the hook of a step's buckets needs of its group, which owns the hook's reducer.
  struct BucketWatch {
    std::atomic<protocol::Phase>* phase = nullptr;
    base::Time last_bucket_at;
    bool measure = false;
    double squares = 0;  // of this rank's own gradients, while measuring
  };

  BucketWatch watch_;
  std::vector<c10::intrusive_ptr<c10::ivalue::Future>> sums_;  // of this step
  bool refused_ = false;                                       // one could not even begin
  c10::intrusive_ptr<c10d::ProcessGroup> group_;
  std::unique_ptr<c10d::Reducer> reducer_;
};

}  // namespace coxswain::trainer::engine
