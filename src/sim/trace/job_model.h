// How fast a job of a trace goes, on what it was given.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace coxswain::sim::trace {

// GPUs on each node that has some, in the order of the nodes.
using Shares = std::vector<int>;

// What its trainers would measure.
struct Measured {
  double batch = 0;    // samples per step, over all GPUs
  double seconds = 0;  // of a step
  double noise = 0;    // gradient noise scale, in samples; 0: not known
};

// How far its size may be moved.
struct Range {
  uint32_t most_gpus = 1;  // from one
  int64_t batch = 0;       // to begin with
  int64_t max_batch = 0;   // 0: it stays
};

class JobModel {
 public:
  virtual ~JobModel() = default;
  // Trains for so many seconds at most. Returns the seconds until it was done, if it is.
  virtual double Train(double seconds, const Shares& shares) = 0;
  virtual bool done() const = 0;
  // Seconds until it is done, on these.
  virtual double Left(const Shares& shares) const = 0;
  // Nothing: it is what it is.
  virtual std::optional<Range> range() const { return std::nullopt; }
  // May be asked if it has a range.
  virtual Measured Measure(const Shares&) const { return {}; }
  virtual void SetBatch(double) {}
};

// As long as the trace says, whatever it is given.
std::unique_ptr<JobModel> FixedLength(double seconds);

}  // namespace coxswain::sim::trace
