// How fast a job of a trace goes, on what it was given.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace coxswain::sim::trace {

// GPUs on each node that has some, in the order of the nodes.
using Shares = std::vector<int>;

class JobModel {
 public:
  virtual ~JobModel() = default;
  // Trains for so many seconds at most. Returns the seconds until it was done, if it is.
  virtual double Train(double seconds, const Shares& shares) = 0;
  virtual bool done() const = 0;
  // Seconds until it is done, on these.
  virtual double Left(const Shares& shares) const = 0;
};

// As long as the trace says, whatever it is given.
std::unique_ptr<JobModel> FixedLength(double seconds);

}  // namespace coxswain::sim::trace
