#include "trainer/table/blob_input.h"

#include <arrow/buffer.h>
#include <arrow/result.h>
#include <arrow/status.h>

#include <algorithm>

namespace coxswain::trainer::table {

absl::StatusOr<std::shared_ptr<BlobInput>> BlobInput::Open(blob::ObjectAt object,
                                                           const std::string& uri) {
  absl::StatusOr<uint64_t> bytes = object.store->Size(object.name);
  if (!bytes.ok()) return bytes.status();
  if (*bytes == 0) return absl::FailedPreconditionError(uri + ": the file is empty");
  return std::shared_ptr<BlobInput>(
      new BlobInput(std::move(object), uri, static_cast<int64_t>(*bytes)));
}

absl::Status BlobInput::ReadRange(int64_t offset, int64_t count, char* to) {
  absl::Status status = object_.store->GetRange(object_.name, static_cast<uint64_t>(offset), to,
                                                static_cast<uint64_t>(count));
  if (!status.ok()) {
    std::lock_guard lock(mutex_);
    failed_ = status;
  }
  return status;
}

absl::Status BlobInput::Explain(const std::string& where, const arrow::Status& status) {
  std::lock_guard lock(mutex_);
  if (!failed_.ok()) return std::exchange(failed_, absl::OkStatus());
  return absl::FailedPreconditionError(uri_ + ": " + (where.empty() ? "" : where + ": ") +
                                       status.message());
}

arrow::Status BlobInput::Seek(int64_t position) {
  at_ = position;
  return arrow::Status::OK();
}

arrow::Result<int64_t> BlobInput::ReadAt(int64_t position, int64_t count, void* out) {
  count = std::clamp<int64_t>(count, 0, std::max<int64_t>(0, bytes_ - position));
  absl::Status read = ReadRange(position, count, static_cast<char*>(out));
  if (!read.ok()) return arrow::Status::IOError(std::string(read.message()));
  return count;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> BlobInput::ReadAt(int64_t position, int64_t count) {
  count = std::clamp<int64_t>(count, 0, std::max<int64_t>(0, bytes_ - position));
  ARROW_ASSIGN_OR_RAISE(auto buffer, arrow::AllocateResizableBuffer(count));
  ARROW_ASSIGN_OR_RAISE(int64_t got, ReadAt(position, count, buffer->mutable_data()));
  ARROW_RETURN_NOT_OK(buffer->Resize(got));
  return std::shared_ptr<arrow::Buffer>(std::move(buffer));
}

arrow::Result<int64_t> BlobInput::Read(int64_t count, void* out) {
  ARROW_ASSIGN_OR_RAISE(int64_t got, ReadAt(at_, count, out));
  at_ += got;
  return got;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> BlobInput::Read(int64_t count) {
  ARROW_ASSIGN_OR_RAISE(auto buffer, ReadAt(at_, count));
  at_ += buffer->size();
  return buffer;
}

}  // namespace coxswain::trainer::table
