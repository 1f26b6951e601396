// The applications of the Pollux evaluation (OSDI'21) as they were measured: step times by
// placement and batch size, and how much further a step of a large batch gets than one of the
// smallest (statistical efficiency, from measured gradient noise). Files:
// ../shared/traces/pollux/apps.
//
// As in their simulator: a job is done at its target epoch; batches that do not fit are
// accumulated.
#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <memory>
#include <string>

#include "sim/trace/job_model.h"

namespace coxswain::sim::trace {

class PolluxApp {
 public:
  // `folder`: .../apps/cifar10.
  static absl::StatusOr<std::shared_ptr<const PolluxApp>> Load(const std::string& folder,
                                                               const std::string& name);
  // What a trace says of a job's size: it stays, its GPUs may be moved, or its batch, too.
  enum class Moves { kNothing, kGpus, kBatch };
  // A job with this batch size over all its GPUs; if the batch moves, it begins with the smallest.
  static std::unique_ptr<JobModel> Train(std::shared_ptr<const PolluxApp> app, double batch_size,
                                         Moves moves = Moves::kNothing);

  // Progress a second in the epoch, with this batch size on these GPUs. Progress: steps of the
  // smallest batch that do as much.
  double Goodput(double batch_size, size_t epoch, const Shares& shares) const;
  // As its trainers would measure it.
  Measured Measure(double batch_size, size_t epoch, const Shares& shares) const;
  double smallest() const { return smallest_; }
  double largest() const { return largest_; }
  double smallest_local() const { return smallest_local_; }
  // At the end of the epoch, from the beginning.
  double ProgressAt(size_t epoch) const { return progress_.at(epoch); }
  size_t epochs() const { return epochs_; }

 private:
  struct Timing {
    double step = 0, sync = 0;  // seconds
  };
  struct Noise {
    double progress = 0, squared = 0, variance = 0;  // of the gradient
  };
  using ByBatch = std::map<double, Timing>;

  absl::Status LoadTimings(const std::string& folder);
  absl::Status LoadNoise(const std::string& folder);
  Timing TimingOf(const Shares& shares, double local_batch) const;
  Noise NoiseOf(double batch, size_t epoch) const;

  std::map<std::string, ByBatch> by_placement_;     // "1211": GPUs per node, as measured
  std::map<std::pair<int, int>, ByBatch> by_size_;  // nodes, GPUs
  std::map<double, std::vector<Noise>> noise_;      // by batch size, each epoch
  std::vector<double> progress_;                    // at the end of each epoch; first: 0
  double smallest_ = 0, largest_ = 0;               // batches
  double smallest_local_ = 0, largest_local_ = 0;   // of one GPU
  double fixed_batch_ = 0;                          // 0: none
  size_t epochs_ = 0;
};

}  // namespace coxswain::sim::trace
