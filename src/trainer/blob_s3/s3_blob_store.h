// s3://: objects in a bucket below a key prefix, on Arrow's S3FileSystem. Every part that fails is
// tried again by the store's Patience inside the AWS client, so an outage costs no more than the
// parts in flight.
#pragma once

#include <memory>
#include <string>

#include "trainer/blob/blob_names.h"
#include "trainer/blob/blob_store.h"
#include "trainer/blob_s3/s3_requests.h"

namespace arrow::fs {
class S3FileSystem;
}

namespace coxswain::trainer::blob {

class S3BlobStore final : public BlobStore {
 public:
  S3BlobStore(StoreUri uri, std::shared_ptr<arrow::fs::S3FileSystem> files, S3Requests requests,
              std::shared_ptr<Patience> patience);

  const std::string& uri() const override { return uri_; }
  absl::Status Put(std::string_view name, std::string_view bytes) override;
  absl::Status PutIfAbsent(std::string_view name, std::string_view bytes) override;
  absl::StatusOr<std::unique_ptr<BlobWriter>> Create(std::string_view name) override;
  absl::StatusOr<std::string> Get(std::string_view name) override;
  absl::Status GetRange(std::string_view name, uint64_t offset, char* to, uint64_t bytes) override;
  absl::StatusOr<uint64_t> Size(std::string_view name) override;
  absl::StatusOr<std::vector<BlobInfo>> List(std::string_view prefix) override;
  absl::Status Delete(std::string_view name) override;
  absl::StatusOr<uint64_t> AbortUploads(std::string_view prefix) override;

 private:
  class Writer;
  std::string KeyOf(std::string_view name) const;   // in the bucket
  std::string PathOf(std::string_view name) const;  // as Arrow has it: "bucket/key"
  std::string UriOf(std::string_view name) const;
  absl::Status Failure(std::string_view action, std::string_view name, std::string_view text) const;

  const StoreUri place_;
  const std::string uri_;
  const std::shared_ptr<arrow::fs::S3FileSystem> files_;
  const S3Requests requests_;
  const std::shared_ptr<Patience> patience_;
};

// Starts Arrow's S3 on the first call of the process. Errors: INVALID_ARGUMENT for an endpoint that
// cannot be, UNAUTHENTICATED if no credentials are found.
absl::StatusOr<std::unique_ptr<BlobStore>> OpenS3Store(const StoreUri& uri,
                                                       const StoreSettings& settings);

}  // namespace coxswain::trainer::blob
