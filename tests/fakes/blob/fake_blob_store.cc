#include "tests/fakes/blob/fake_blob_store.h"

#include <algorithm>
#include <cstring>

#include "trainer/blob/blob_names.h"

namespace coxswain::fakes {

using trainer::blob::BlobInfo;
using trainer::blob::BlobWriter;
using trainer::blob::CheckName;
using trainer::blob::CheckNewName;
using trainer::blob::CheckPrefix;

void FakeBlobs::FailNext(int count, absl::Status status) {
  std::lock_guard lock(mutex_);
  fail_ = count;
  fail_with_ = std::move(status);
}
void FakeBlobs::TearNext(uint64_t bytes) {
  std::lock_guard lock(mutex_);
  tear_ = bytes;
}
void FakeBlobs::LoseNextAnswer() {
  std::lock_guard lock(mutex_);
  lose_answer_ = true;
}
void FakeBlobs::OnOperation(std::function<void()> hook) {
  std::lock_guard lock(mutex_);
  hook_ = std::move(hook);
}
void FakeBlobs::FlipBit(const std::string& uri, uint64_t offset) {
  std::lock_guard lock(mutex_);
  objects_.at(uri).at(offset) ^= 1;
}
void FakeBlobs::Truncate(const std::string& uri, uint64_t bytes) {
  std::lock_guard lock(mutex_);
  objects_.at(uri).resize(bytes);
}
void FakeBlobs::Remove(const std::string& uri) {
  std::lock_guard lock(mutex_);
  objects_.erase(uri);
}
void FakeBlobs::Write(const std::string& uri, std::string bytes) {
  std::lock_guard lock(mutex_);
  objects_[uri] = std::move(bytes);
}
std::map<std::string, std::string> FakeBlobs::objects() const {
  std::lock_guard lock(mutex_);
  return objects_;
}

absl::Status FakeBlobs::Begin() {
  std::function<void()> hook;
  absl::Status status;
  {
    std::lock_guard lock(mutex_);
    hook = hook_;
    if (fail_ > 0) {
      --fail_;
      status = fail_with_;
    }
  }
  if (hook) hook();
  return status;
}

absl::Status FakeBlobs::Store(const std::string& uri, std::string bytes, bool only_if_absent) {
  if (absl::Status status = Begin(); !status.ok()) return status;
  std::lock_guard lock(mutex_);
  if (only_if_absent && objects_.count(uri)) return absl::AlreadyExistsError(uri + " exists");
  bytes.resize(bytes.size() - std::min<uint64_t>(bytes.size(), tear_));
  tear_ = 0;
  objects_[uri] = std::move(bytes);
  if (!lose_answer_) return absl::OkStatus();
  lose_answer_ = false;
  return absl::UnavailableError("the answer was lost");
}

class FakeBlobStore::Writer final : public BlobWriter {
 public:
  Writer(std::string uri, std::shared_ptr<FakeBlobs> blobs)
      : uri_(std::move(uri)), blobs_(std::move(blobs)) {
    std::lock_guard lock(blobs_->mutex_);
    blobs_->unfinished_[this] = uri_;
  }
  ~Writer() override { Leave(); }
  absl::Status Write(std::string_view bytes) override {
    if (absl::Status status = blobs_->Begin(); !status.ok()) return status;
    bytes_ += bytes;
    return absl::OkStatus();
  }
  absl::Status Commit() override {
    if (!Leave()) return absl::AbortedError("the upload of " + uri_ + " was aborted");
    return blobs_->Store(uri_, std::move(bytes_), false);
  }

 private:
  bool Leave() {
    std::lock_guard lock(blobs_->mutex_);
    return blobs_->unfinished_.erase(this) > 0;
  }
  const std::string uri_;
  const std::shared_ptr<FakeBlobs> blobs_;
  std::string bytes_;
};

absl::Status FakeBlobStore::Put(std::string_view name, std::string_view bytes) {
  if (absl::Status status = CheckNewName(name); !status.ok()) return status;
  return blobs_->Store(At(name), std::string(bytes), false);
}

absl::Status FakeBlobStore::PutIfAbsent(std::string_view name, std::string_view bytes) {
  if (absl::Status status = CheckNewName(name); !status.ok()) return status;
  return blobs_->Store(At(name), std::string(bytes), true);
}

absl::StatusOr<std::unique_ptr<BlobWriter>> FakeBlobStore::Create(std::string_view name) {
  if (absl::Status status = CheckNewName(name); !status.ok()) return status;
  if (absl::Status status = blobs_->Begin(); !status.ok()) return status;
  return std::make_unique<Writer>(At(name), blobs_);
}

absl::StatusOr<std::string> FakeBlobStore::Get(std::string_view name) {
  if (absl::Status status = CheckName(name); !status.ok()) return status;
  if (absl::Status status = blobs_->Begin(); !status.ok()) return status;
  std::lock_guard lock(blobs_->mutex_);
  auto found = blobs_->objects_.find(At(name));
  if (found == blobs_->objects_.end()) return absl::NotFoundError("no object " + At(name));
  return found->second;
}

absl::Status FakeBlobStore::GetRange(std::string_view name, uint64_t offset, char* to,
                                     uint64_t bytes) {
  absl::StatusOr<std::string> all = Get(name);
  if (!all.ok()) return all.status();
  if (offset > all->size() || bytes > all->size() - offset) {
    return absl::OutOfRangeError(At(name) + " ends before");
  }
  std::memcpy(to, all->data() + offset, bytes);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> FakeBlobStore::Size(std::string_view name) {
  absl::StatusOr<std::string> all = Get(name);
  if (!all.ok()) return all.status();
  return all->size();
}

absl::StatusOr<std::vector<BlobInfo>> FakeBlobStore::List(std::string_view prefix) {
  if (absl::Status status = CheckPrefix(prefix); !status.ok()) return status;
  if (absl::Status status = blobs_->Begin(); !status.ok()) return status;
  std::string below = prefix.empty() ? uri_ + "/" : At(prefix) + "/";
  std::vector<BlobInfo> found;
  for (const auto& [uri, bytes] : blobs_->objects()) {
    if (uri.starts_with(below)) found.push_back({uri.substr(uri_.size() + 1), bytes.size()});
  }
  return found;
}

absl::Status FakeBlobStore::Delete(std::string_view name) {
  if (absl::Status status = CheckName(name); !status.ok()) return status;
  if (absl::Status status = blobs_->Begin(); !status.ok()) return status;
  blobs_->Remove(At(name));
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> FakeBlobStore::AbortUploads(std::string_view prefix) {
  if (absl::Status status = CheckPrefix(prefix); !status.ok()) return status;
  if (absl::Status status = blobs_->Begin(); !status.ok()) return status;
  std::string below = prefix.empty() ? uri_ + "/" : At(prefix) + "/";
  std::lock_guard lock(blobs_->mutex_);
  return std::erase_if(blobs_->unfinished_,
                       [&](const auto& entry) { return entry.second.starts_with(below); });
}

}  // namespace coxswain::fakes
