#include "trainer/engine/data/batch_loader.h"

#include <pthread.h>

#include <algorithm>

#include "common/base/check.h"

namespace coxswain::trainer::data {

Normalizer::Normalizer(double mean, double std) {
  for (int i = 0; i < 256; ++i) {
    double_[i] = (i / 255.0 - mean) / std;
    float_[i] = static_cast<float>(double_[i]);
  }
}

void Normalizer::Apply(const uint8_t* from, int64_t count, float* to) const {
  for (int64_t i = 0; i < count; ++i) to[i] = float_[from[i]];
}

void Normalizer::Apply(const uint8_t* from, int64_t count, double* to) const {
  for (int64_t i = 0; i < count; ++i) to[i] = double_[from[i]];
}

BatchLoader::BatchLoader(const ImageDataset& set, const LoaderSettings& settings, uint32_t rank,
                         uint32_t world_size, int64_t step, int64_t position)
    : set_(set),
      settings_(settings),
      normalizer_(settings.mean, settings.std),
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

std::unique_ptr<Batch> BatchLoader::Next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !ready_.empty(); });
  std::unique_ptr<Batch> batch = std::move(ready_.front());
  ready_.pop_front();
  lock.unlock();
  changed_.notify_all();
  return batch;
}

void BatchLoader::Recycle(std::unique_ptr<Batch> batch) {
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
    Fill(*batch);
    {
      std::lock_guard lock(mutex_);
      ready_.push_back(std::move(batch));
    }
    changed_.notify_all();
  }
}

void BatchLoader::Fill(Batch& batch) {
  int64_t size = settings_.plan.samples;
  int64_t epoch = position_ / size, offset = position_ % size;
  if (epoch != order_epoch_) {
    order_ = EpochOrder(settings_.seed, epoch, size);
    order_epoch_ = epoch;
  }
  batch.position = position_;
  batch.global_size = settings_.plan.NextBatch(position_);
  batch.share = ShareOfBatch(batch.global_size, settings_.micro_batch, rank_, world_size_);
  batch.samples = std::max<int64_t>(1, batch.share.size());
  // An empty share stands for the batch's first sample, whose weight is 0.
  int64_t begin = offset + (batch.share.size() > 0 ? batch.share.begin : 0);
  int64_t pixels = set_.sample_bytes();
  size_t element = settings_.float64 ? sizeof(double) : sizeof(float);
  batch.pixels.resize(static_cast<size_t>(batch.samples * pixels) * element);
  batch.labels.resize(static_cast<size_t>(batch.samples));
  for (int64_t i = 0; i < batch.samples; ++i) {
    uint32_t sample = order_[static_cast<size_t>(begin + i)];
    batch.labels[static_cast<size_t>(i)] = set_.label(sample);
    char* to = batch.pixels.data() + static_cast<size_t>(i * pixels) * element;
    if (settings_.float64) {
      normalizer_.Apply(set_.image(sample), pixels, reinterpret_cast<double*>(to));
    } else {
      normalizer_.Apply(set_.image(sample), pixels, reinterpret_cast<float*>(to));
    }
  }
  position_ += batch.global_size;
  ++step_;
}

}  // namespace coxswain::trainer::data
