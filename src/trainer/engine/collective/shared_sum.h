// Sums over the ranks of one machine through shared memory: a fifth of the processor time that Gloo
// takes over loopback, which two ranks on two cores pay in full.
//
// Each rank sums one part of a chunk, in the order of the ranks, and the others take it over: the
// result has the same bits everywhere. A thread of its own works off the sums in the order in which
// they were begun, which must be the same on every rank.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "trainer/engine/collective/shared_segment.h"

namespace coxswain::trainer::engine {

class SharedSum {
 public:
  SharedSum(std::unique_ptr<SharedSegment> segment, uint32_t rank, uint32_t ranks,
            SharedSegment::Patience patience);
  // Sums still under way end with an error, here and on the other ranks.
  ~SharedSum();

  // Sums `tensor` (contiguous, on the CPU) in place; it must live until the future is complete. The
  // future's value is a list with the tensor alone, its error a c10d::DistBackendError.
  c10::intrusive_ptr<c10::ivalue::Future> Start(at::Tensor tensor);
  // As Group::AllGather: no sum, but it goes the same way and takes its turn. The future's list is
  // empty.
  c10::intrusive_ptr<c10::ivalue::Future> StartGather(std::vector<std::vector<at::Tensor>> parts);

 private:
  struct Task {
    std::function<absl::Status()> work;
    std::vector<at::Tensor> result;
    c10::intrusive_ptr<c10::ivalue::Future> future;
  };
  struct Chunk {
    at::Tensor values;   // of this rank's tensor, one-dimensional
    uint32_t index = 0;  // from the group's start
  };

  c10::intrusive_ptr<c10::ivalue::Future> Enqueue(std::function<absl::Status()> work,
                                                  std::vector<at::Tensor> result);
  void Run();
  absl::Status Reduce(const at::Tensor& tensor);
  absl::Status Gather(const std::vector<std::vector<at::Tensor>>& parts);
  // The three things done with a chunk, in this order.
  absl::Status Publish(const Chunk& chunk);
  absl::Status SumPart(const Chunk& chunk);
  absl::Status Take(const Chunk& chunk);
  // `rank`'s part of a chunk: in its own tensor, and where `holder` keeps it in shared memory.
  at::Tensor OwnPart(const Chunk& chunk, uint32_t rank) const;
  at::Tensor SharedPart(const Chunk& chunk, uint32_t rank, uint32_t holder) const;

  std::unique_ptr<SharedSegment> segment_;
  const uint32_t rank_, ranks_;
  SharedSegment::Patience patience_;
  uint32_t chunks_ = 0;  // begun; the thread's

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> waiting_;
  bool ending_ = false;
  std::atomic<bool> given_up_{false};
  std::thread thread_;
};

}  // namespace coxswain::trainer::engine
