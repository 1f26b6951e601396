// An object in a store, read by ranges: for Arrow, and for ourselves.
#pragma once

#include <arrow/io/interfaces.h>
#include <arrow/result.h>

#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "trainer/blob/blob_store.h"

namespace coxswain::trainer::table {

// Thread-safe but for Read, Seek and Tell, of which Arrow's readers have no need.
class BlobInput final : public arrow::io::RandomAccessFile {
 public:
  // FAILED_PRECONDITION: it is empty.
  static absl::StatusOr<std::shared_ptr<BlobInput>> Open(blob::ObjectAt object,
                                                         const std::string& uri);

  const std::string& uri() const { return uri_; }
  int64_t bytes() const { return bytes_; }
  // Bytes [offset, offset + count), which are there.
  absl::Status ReadRange(int64_t offset, int64_t count, char* to);
  // A failure of Arrow's as ours: the store's own if that is why, else FAILED_PRECONDITION.
  // `where`: "row group 3"; may be empty.
  absl::Status Explain(const std::string& where, const arrow::Status& status);

  arrow::Status Close() override { return arrow::Status::OK(); }
  bool closed() const override { return false; }
  arrow::Result<int64_t> Tell() const override { return at_; }
  arrow::Status Seek(int64_t position) override;
  arrow::Result<int64_t> Read(int64_t count, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t count) override;
  arrow::Result<int64_t> GetSize() override { return bytes_; }
  arrow::Result<int64_t> ReadAt(int64_t position, int64_t count, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t position, int64_t count) override;

 private:
  BlobInput(blob::ObjectAt object, std::string uri, int64_t bytes)
      : object_(std::move(object)), uri_(std::move(uri)), bytes_(bytes) {}

  blob::ObjectAt object_;
  const std::string uri_;
  const int64_t bytes_;
  int64_t at_ = 0;
  std::mutex mutex_;
  absl::Status failed_;  // the store's last failure
};

}  // namespace coxswain::trainer::table
