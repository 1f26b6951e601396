// One generation's process group, and the reducer that all-reduces gradients while backward runs.
//
// Owner: the training engine; all calls from its thread. Everything here throws what LibTorch
// throws; a throw means that the group is of no more use.
#pragma once

#include <ATen/core/Tensor.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/protocol/trainer_messages.h"
#include "trainer/engine/engine.h"

namespace coxswain::trainer::engine {

class Group {
 public:
  // An all-reduce under way.
  class Pending {
   public:
    virtual ~Pending() = default;
    virtual void Wait() = 0;
  };

  virtual ~Group() = default;
  virtual uint32_t rank() const = 0;
  virtual uint32_t size() const = 0;

  // Sums `tensor` over the ranks, in place. The tensor must live until Wait has returned.
  virtual std::unique_ptr<Pending> AllReduce(at::Tensor tensor) = 0;
  virtual void Broadcast(at::Tensor tensor, uint32_t root) = 0;
  // parts[r] are read on rank r and written on all others; of the same sizes everywhere, without
  // gaps, and in no other memory than each rank's own.
  virtual void AllGather(const std::vector<std::vector<at::Tensor>>& parts) = 0;

  // Begins to watch these: from now on, backward between BeforeBackward and its end sums their
  // gradients over all ranks (a sum, not a mean).
  virtual void Watch(const std::vector<at::Tensor>& parameters) = 0;
  virtual void BeforeForward() = 0;   // of the last micro-batch of a step
  virtual void BeforeBackward() = 0;  // of the last micro-batch of a step
  // Of the next backward: whether this rank's own gradients are measured before they are summed.
  virtual void MeasureBackward(bool wanted) = 0;
  // Their squared norm, if they were.
  virtual double own_squares() const = 0;
  // A sum of the present step has failed: what is thrown then need not be the thrower's own doing.
  virtual bool failed() const = 0;
  // When the last bucket of the present step was handed over: what follows is waiting for peers.
  virtual base::Time last_bucket_at() const = 0;
};

struct GroupLimits {
  std::string address;
  base::Duration form{}, collective{};
  std::function<bool()> given_up;  // thread-safe: nobody waits for the group's collectives any more
  bool share_memory = true;        // where that can be; rank 0's word
};

// Over Gloo; ranks of one machine sum through shared memory. `phase` is set to kAllReduce once a
// step's last bucket is on its way.
std::unique_ptr<Group> FormGlooGroup(const GroupSettings& settings, const GroupLimits& limits,
                                     std::atomic<protocol::Phase>* phase);
// A world of one: nothing to reduce.
std::unique_ptr<Group> MakeLoneGroup();

}  // namespace coxswain::trainer::engine
