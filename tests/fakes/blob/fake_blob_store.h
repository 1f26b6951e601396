// A store in memory, shared by every FakeBlobStore opened on one FakeBlobs, with faults on order.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "trainer/blob/blob_store.h"

namespace coxswain::fakes {

// The far side. Thread-safe.
class FakeBlobs {
 public:
  // The next `count` operations on any object fail with `status`, without effect.
  void FailNext(int count, absl::Status status);
  // The next object that is written is stored without its last `bytes`, and acknowledged.
  void TearNext(uint64_t bytes);
  // The next write is done in full, but its caller hears UNAVAILABLE.
  void LoseNextAnswer();
  // Called at the start of each operation, outside locks: to wait, or to count.
  void OnOperation(std::function<void()> hook);

  // Behind the stores' back, by full URI.
  void FlipBit(const std::string& uri, uint64_t offset);
  void Truncate(const std::string& uri, uint64_t bytes);
  void Remove(const std::string& uri);
  void Write(const std::string& uri, std::string bytes);
  std::map<std::string, std::string> objects() const;

 private:
  friend class FakeBlobStore;
  absl::Status Begin();  // hook and faults
  absl::Status Store(const std::string& uri, std::string bytes, bool only_if_absent);

  mutable std::mutex mutex_;
  std::map<std::string, std::string> objects_;     // by full URI
  std::map<const void*, std::string> unfinished_;  // URI by writer
  int fail_ = 0;
  absl::Status fail_with_;
  uint64_t tear_ = 0;
  bool lose_answer_ = false;
  std::function<void()> hook_;
};

class FakeBlobStore final : public trainer::blob::BlobStore {
 public:
  FakeBlobStore(std::string uri, std::shared_ptr<FakeBlobs> blobs)
      : uri_(std::move(uri)), blobs_(std::move(blobs)) {}

  const std::string& uri() const override { return uri_; }
  absl::Status Put(std::string_view name, std::string_view bytes) override;
  absl::Status PutIfAbsent(std::string_view name, std::string_view bytes) override;
  absl::StatusOr<std::unique_ptr<trainer::blob::BlobWriter>> Create(std::string_view name) override;
  absl::StatusOr<std::string> Get(std::string_view name) override;
  absl::Status GetRange(std::string_view name, uint64_t offset, char* to, uint64_t bytes) override;
  absl::StatusOr<uint64_t> Size(std::string_view name) override;
  absl::StatusOr<std::vector<trainer::blob::BlobInfo>> List(std::string_view prefix) override;
  absl::Status Delete(std::string_view name) override;
  absl::StatusOr<uint64_t> AbortUploads(std::string_view prefix) override;

 private:
  class Writer;
  std::string At(std::string_view name) const { return uri_ + "/" + std::string(name); }

  const std::string uri_;
  const std::shared_ptr<FakeBlobs> blobs_;
};

}  // namespace coxswain::fakes
