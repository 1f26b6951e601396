#include "trainer/blob/upload_loop.h"

#include <utility>

namespace coxswain::trainer::blob {

UploadLoop::UploadLoop(StoreSettings settings, RetryPolicy policy, std::string store)
    : settings_(std::move(settings)),
      policy_(policy),
      store_(std::move(store)),
      thread_([this] { Run(); }) {}

UploadLoop::~UploadLoop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& job : jobs_) job->patience->Cancel();
    wake_.notify_all();
  }
  thread_.join();
}

void UploadLoop::AddShard(std::string uri, std::shared_ptr<const ShardBuffer> shard,
                          std::function<void(absl::Status)> done) {
  Add(
      std::move(uri),
      [shard = std::move(shard)](BlobStore& store) { return StoreShard(store, *shard); },
      std::move(done));
}

void UploadLoop::AddManifest(std::string uri, Manifest manifest,
                             std::function<void(absl::StatusOr<std::string>)> done) {
  auto hash = std::make_shared<std::string>();
  Add(
      std::move(uri),
      [hash, manifest = std::move(manifest)](BlobStore& store) mutable {
        absl::Status described =
            manifest.tensors.empty() ? DescribeShards(store, &manifest) : absl::OkStatus();
        if (!described.ok()) return described;
        absl::StatusOr<std::string> stored = StoreManifest(store, manifest);
        if (stored.ok()) *hash = *stored;
        return stored.status();
      },
      [hash, done = std::move(done)](absl::Status status) {
        if (status.ok()) {
          done(*hash);
        } else {
          done(std::move(status));
        }
      });
}

void UploadLoop::AddCommitted(std::string uri, std::string manifest_hash,
                              std::function<void(absl::Status)> done) {
  Add(
      std::move(uri),
      [hash = std::move(manifest_hash)](BlobStore& store) { return StoreCommitted(store, hash); },
      std::move(done));
}

void UploadLoop::Add(std::string uri, std::function<absl::Status(BlobStore&)> work,
                     std::function<void(absl::Status)> done) {
  auto job = std::make_shared<Job>();
  const std::string& place = store_.empty() ? uri : store_;
  job->patience = std::make_shared<Patience>(policy_, "checkpoint store " + place, place);
  job->uri = std::move(uri);
  job->work = std::move(work);
  job->done = std::move(done);
  std::lock_guard lock(mutex_);
  if (stopping_) job->patience->Cancel();
  jobs_.push_back(std::move(job));
  wake_.notify_all();
}

void UploadLoop::Cancel(const std::string& uri) {
  std::lock_guard lock(mutex_);
  for (const auto& job : jobs_) {
    if (job->uri == uri) job->patience->Cancel();
  }
}

std::string UploadLoop::waiting_for() const {
  std::lock_guard lock(mutex_);
  return jobs_.empty() ? "" : jobs_.front()->patience->waiting_for();
}

size_t UploadLoop::pending() const {
  std::lock_guard lock(mutex_);
  return jobs_.size();
}

void UploadLoop::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    std::shared_ptr<Job> job = jobs_.front();
    lock.unlock();
    absl::Status status = RunJob(*job);
    job->done(std::move(status));
    lock.lock();
    jobs_.pop_front();
  }
}

absl::Status UploadLoop::RunJob(const Job& job) {
  StoreSettings settings = settings_;
  settings.patience = job.patience;
  absl::StatusOr<std::unique_ptr<BlobStore>> store = OpenStore(job.uri, settings);
  if (!store.ok()) return store.status();
  return job.patience->Run([&] { return job.work(**store); });
}

}  // namespace coxswain::trainer::blob
