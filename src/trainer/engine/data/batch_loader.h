// Has the next batches of one rank ready: a thread reads and queues them.
//
// Owner: the engine. Threads: Next from the engine's thread alone.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/core/training_plan.h"
#include "trainer/engine/data/dataset.h"
#include "trainer/engine/data/sample_order.h"

namespace coxswain::trainer::data {

// Of a batch, what is on its way to a device (device/prefetch.h).
class Sent {
 public:
  virtual ~Sent() = default;
};

struct LoaderSettings {
  core::TrainingPlan plan;
  uint64_t seed = 1;
  int64_t micro_batch = 0;  // 0: the rank's share in one piece
  bool float64 = false;
  // Called with each batch's rows, on the loader's thread; may be empty.
  std::function<std::unique_ptr<Sent>(const Rows&)> send;
};

// One rank's part of one step.
struct Batch {
  int64_t position = 0;  // of the global batch's first sample
  int64_t global_size = 0;
  Share share;  // of the global batch; an empty one still holds one sample, of weight 0
  int64_t missing_labels = 0;  // of the global batch
  Rows rows;                   // max(1, share.size()) of them
  std::unique_ptr<Sent> sent;  // null: nothing
};

class BatchLoader {
 public:
  // `set` must outlive the loader. Begins at (step, position) and ends when the plan is done.
  BatchLoader(const Dataset& set, const LoaderSettings& settings, uint32_t rank,
              uint32_t world_size, int64_t step, int64_t position);
  ~BatchLoader();

  // Waits for the next one. Must not be called more often than the plan has steps, nor after an
  // error, which is SampleReader::Read's.
  absl::StatusOr<std::unique_ptr<Batch>> Next();
  // Gives a used batch back, so that its memory is used again.
  void Recycle(std::unique_ptr<Batch> batch);

 private:
  static constexpr size_t kDepth = 2;
  void Run();
  absl::Status Fill(Batch& batch);

  const LoaderSettings settings_;
  const std::unique_ptr<SampleReader> reader_;  // the loader's thread
  const uint32_t rank_, world_size_;
  int64_t step_, position_;  // of the next batch to fill; the loader's thread

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<absl::StatusOr<std::unique_ptr<Batch>>> ready_;
  std::deque<std::unique_ptr<Batch>> free_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace coxswain::trainer::data
