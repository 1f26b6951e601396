#include "trainer/engine/data/batch_loader.h"

#include <pthread.h>

#include <algorithm>

#include "common/base/check.h"

namespace coxswain::trainer::data {

BatchLoader::BatchLoader(const Dataset& set, const LoaderSettings& settings, uint32_t rank,
                         uint32_t world_size, int64_t step, int64_t position)
    : settings_(settings),
      reader_(set.MakeReader({settings.seed, settings.float64})),
      rank_(rank),
      world_size_(world_size),
      step_(step),
      position_(position) {
  thread_ = std::thread([this] { Run(); });
}

BatchLoader::~BatchLoader() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

absl::StatusOr<std::unique_ptr<Batch>> BatchLoader::Next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !ready_.empty(); });
  absl::StatusOr<std::unique_ptr<Batch>> batch = std::move(ready_.front());
  ready_.pop_front();
  lock.unlock();
  changed_.notify_all();
  return batch;
}

void BatchLoader::Recycle(std::unique_ptr<Batch> batch) {
  batch->sent.reset();
  std::lock_guard lock(mutex_);
  free_.push_back(std::move(batch));
}

void BatchLoader::Run() {
  pthread_setname_np(pthread_self(), "data");
  while (!settings_.plan.Done(step_, position_)) {
    std::unique_ptr<Batch> batch;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || ready_.size() < kDepth; });
      if (stopping_) return;
      if (!free_.empty()) {
        batch = std::move(free_.front());
        free_.pop_front();
      }
    }
    if (batch == nullptr) batch = std::make_unique<Batch>();
    absl::Status filled = Fill(*batch);
    {
      std::lock_guard lock(mutex_);
      if (filled.ok()) {
        ready_.emplace_back(std::move(batch));
      } else {
        ready_.emplace_back(filled);
      }
    }
    changed_.notify_all();
    if (!filled.ok()) return;
  }
}

absl::Status BatchLoader::Fill(Batch& batch) {
  int64_t size = settings_.plan.samples;
  batch.position = position_;
  batch.global_size = settings_.plan.NextBatch(position_);
  batch.share = ShareOfBatch(batch.global_size, settings_.micro_batch, rank_, world_size_);
  // An empty share stands for the batch's first sample, whose weight is 0.
  int64_t first = position_ % size;
  int64_t begin = first + (batch.share.size() > 0 ? batch.share.begin : 0);
  int64_t count = std::max<int64_t>(1, batch.share.size());
  int64_t epoch = position_ / size;
  absl::Status read = reader_->Read(epoch, begin, begin + count, batch.rows);
  if (read.ok() && settings_.send) batch.sent = settings_.send(batch.rows);
  batch.missing_labels = reader_->MissingLabels(epoch, first, first + batch.global_size);
  position_ += batch.global_size;
  ++step_;
  return read;
}

}  // namespace coxswain::trainer::data
