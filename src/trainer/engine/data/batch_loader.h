// Has the next batches of one rank ready: a thread gathers, normalises and queues them.
//
// Owner: the engine. Threads: Next from the engine's thread alone.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "trainer/core/training_plan.h"
#include "trainer/engine/data/image_dataset.h"
#include "trainer/engine/data/sample_order.h"

namespace coxswain::trainer::data {

struct LoaderSettings {
  core::TrainingPlan plan;
  uint64_t seed = 1;
  int64_t micro_batch = 0;   // 0: the rank's share in one piece
  double mean = 0, std = 1;  // of pixels scaled to [0, 1]
  bool float64 = false;
};

// One rank's part of one step.
struct Batch {
  int64_t position = 0;  // of the global batch's first sample
  int64_t global_size = 0;
  Share share;          // of the global batch; an empty one still holds one sample, of weight 0
  int64_t samples = 0;  // rows in pixels and labels: max(1, share.size())
  std::vector<char> pixels;  // samples * sample_bytes floats or doubles, row-major
  std::vector<int64_t> labels;
};

// Writes (value / 255 - mean) / std of `count` bytes to `to`.
class Normalizer {
 public:
  Normalizer(double mean, double std);
  void Apply(const uint8_t* from, int64_t count, float* to) const;
  void Apply(const uint8_t* from, int64_t count, double* to) const;

 private:
  float float_[256];
  double double_[256];
};

class BatchLoader {
 public:
  // `set` must outlive the loader. Begins at (step, position) and ends when the plan is done.
  BatchLoader(const ImageDataset& set, const LoaderSettings& settings, uint32_t rank,
              uint32_t world_size, int64_t step, int64_t position);
  ~BatchLoader();

  // Waits for the next one. Must not be called more often than the plan has steps.
  std::unique_ptr<Batch> Next();
  // Gives a used batch back, so that its memory is used again.
  void Recycle(std::unique_ptr<Batch> batch);

 private:
  static constexpr size_t kDepth = 2;
  void Run();
  void Fill(Batch& batch);

  const ImageDataset& set_;
  const LoaderSettings settings_;
  const Normalizer normalizer_;
  const uint32_t rank_, world_size_;
  int64_t step_, position_;  // of the next batch to fill; the loader's thread
  int64_t order_epoch_ = -1;
  std::vector<uint32_t> order_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Batch>> ready_, free_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace coxswain::trainer::data
