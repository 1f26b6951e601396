#include "trainer/blob_s3/s3_blob_store.h"

#include <arrow/filesystem/s3fs.h>
#include <arrow/io/interfaces.h>
#include <arrow/result.h>
#include <arrow/status.h>

#include <algorithm>

#include "trainer/blob/text.h"
#include "trainer/blob_s3/s3_errors.h"

namespace coxswain::trainer::blob {
namespace {

// Arrow copies what is written until it is sent: so much of an object is in flight at most.
constexpr uint64_t kInFlightBytes = 64 << 20;

}  // namespace

class S3BlobStore::Writer final : public BlobWriter {
 public:
  Writer(S3BlobStore& store, std::string name, std::shared_ptr<arrow::io::OutputStream> stream)
      : store_(store), name_(std::move(name)), stream_(std::move(stream)) {}
  ~Writer() override {
    if (!committed_) (void)stream_->Abort();
  }

  absl::Status Write(std::string_view bytes) override {
    if (store_.patience_->cancelled()) {
      return absl::CancelledError(Cat("writing ", store_.UriOf(name_), " was cancelled"));
    }
    arrow::Status status = stream_->Write(bytes.data(), static_cast<int64_t>(bytes.size()));
    in_flight_ += bytes.size();
    if (status.ok() && in_flight_ >= kInFlightBytes) {
      status = stream_->Flush();
      in_flight_ = 0;
    }
    return status.ok() ? absl::OkStatus() : store_.Failure("write", name_, status.message());
  }

  absl::Status Commit() override {
    arrow::Status status = stream_->Close();
    committed_ = status.ok();
    return committed_ ? absl::OkStatus() : store_.Failure("write", name_, status.message());
  }

 private:
  S3BlobStore& store_;
  const std::string name_;
  const std::shared_ptr<arrow::io::OutputStream> stream_;
  uint64_t in_flight_ = 0;
  bool committed_ = false;
};

S3BlobStore::S3BlobStore(StoreUri uri, std::shared_ptr<arrow::fs::S3FileSystem> files,
                         S3Requests requests, std::shared_ptr<Patience> patience)
    : place_(std::move(uri)),
      uri_(place_.ToString()),
      files_(std::move(files)),
      requests_(std::move(requests)),
      patience_(std::move(patience)) {}

std::string S3BlobStore::KeyOf(std::string_view name) const {
  return Cat(place_.path, place_.path.empty() || name.empty() ? "" : "/", name);
}

std::string S3BlobStore::PathOf(std::string_view name) const {
  std::string key = KeyOf(name);
  return key.empty() ? place_.bucket : Cat(place_.bucket, "/", key);
}

std::string S3BlobStore::UriOf(std::string_view name) const {
  return name.empty() ? uri_ : Cat(uri_, "/", name);
}

absl::Status S3BlobStore::Failure(std::string_view action, std::string_view name,
                                  std::string_view text) const {
  return S3ErrorFromArrow(action, UriOf(name), requests_.endpoint(), text);
}

absl::Status S3BlobStore::Put(std::string_view name, std::string_view bytes) {
  absl::StatusOr<std::unique_ptr<BlobWriter>> writer = Create(name);
  if (!writer.ok()) return writer.status();
  if (absl::Status status = (*writer)->Write(bytes); !status.ok()) return status;
  return (*writer)->Commit();
}

absl::Status S3BlobStore::PutIfAbsent(std::string_view name, std::string_view bytes) {
  if (absl::Status status = CheckNewName(name); !status.ok()) return status;
  absl::Status status = requests_.PutIfAbsent(KeyOf(name), bytes);
  if (!absl::IsUnimplemented(status)) return status;
  absl::StatusOr<uint64_t> size = Size(name);  // as good as such a store can do it
  if (size.ok()) return absl::AlreadyExistsError(Cat(UriOf(name), " exists"));
  return absl::IsNotFound(size.status()) ? Put(name, bytes) : size.status();
}

absl::StatusOr<std::unique_ptr<BlobWriter>> S3BlobStore::Create(std::string_view name) {
  if (absl::Status status = CheckNewName(name); !status.ok()) return status;
  auto stream = files_->OpenOutputStream(PathOf(name), nullptr);
  if (!stream.ok()) return Failure("write", name, stream.status().message());
  return std::make_unique<Writer>(*this, std::string(name), *std::move(stream));
}

absl::StatusOr<uint64_t> S3BlobStore::Size(std::string_view name) {
  if (absl::Status status = CheckName(name); !status.ok()) return status;
  auto info = files_->GetFileInfo(PathOf(name));
  if (!info.ok()) return Failure("read", name, info.status().message());
  if (info->type() != arrow::fs::FileType::File) {
    return absl::NotFoundError(
        Cat("there is no object ", UriOf(name), " at ", requests_.endpoint()));
  }
  return static_cast<uint64_t>(info->size());
}

absl::StatusOr<std::string> S3BlobStore::Get(std::string_view name) {
  absl::StatusOr<uint64_t> size = Size(name);
  if (!size.ok()) return size.status();
  std::string bytes(*size, '\0');
  absl::Status status = GetRange(name, 0, bytes.data(), *size);
  if (!status.ok()) return status;
  return bytes;
}

absl::Status S3BlobStore::GetRange(std::string_view name, uint64_t offset, char* to,
                                   uint64_t bytes) {
  if (absl::Status status = CheckName(name); !status.ok()) return status;
  auto file = files_->OpenInputFile(PathOf(name));
  if (!file.ok()) return Failure("read", name, file.status().message());
  for (uint64_t done = 0; done < bytes;) {
    auto got = (*file)->ReadAt(static_cast<int64_t>(offset + done),
                               static_cast<int64_t>(bytes - done), to + done);
    if (!got.ok()) return Failure("read", name, got.status().message());
    if (*got == 0) {
      return absl::OutOfRangeError(Cat(UriOf(name), " ends at byte ", offset + done,
                                       ", expected at least ", offset + bytes));
    }
    done += static_cast<uint64_t>(*got);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<BlobInfo>> S3BlobStore::List(std::string_view prefix) {
  if (absl::Status status = CheckPrefix(prefix); !status.ok()) return status;
  arrow::fs::FileSelector selector;
  selector.base_dir = PathOf(prefix);
  selector.recursive = true;
  selector.allow_not_found = true;
  auto found = files_->GetFileInfo(selector);
  if (!found.ok()) return Failure("list", prefix, found.status().message());
  std::vector<BlobInfo> blobs;
  size_t skip = PathOf("").size() + 1;
  for (const arrow::fs::FileInfo& info : *found) {
    if (info.type() != arrow::fs::FileType::File) continue;
    blobs.push_back({info.path().substr(skip), static_cast<uint64_t>(info.size())});
  }
  std::sort(blobs.begin(), blobs.end(),
            [](const BlobInfo& a, const BlobInfo& b) { return a.name < b.name; });
  return blobs;
}

absl::Status S3BlobStore::Delete(std::string_view name) {
  if (absl::Status status = CheckName(name); !status.ok()) return status;
  return requests_.Delete(KeyOf(name));
}

absl::StatusOr<uint64_t> S3BlobStore::AbortUploads(std::string_view prefix) {
  if (absl::Status status = CheckPrefix(prefix); !status.ok()) return status;
  std::string below = KeyOf(prefix);
  absl::StatusOr<std::vector<S3Upload>> uploads =
      requests_.ListUploads(below.empty() ? "" : below + "/");
  if (!uploads.ok()) return uploads.status();
  for (const S3Upload& upload : *uploads) {
    if (absl::Status status = requests_.AbortUpload(upload); !status.ok()) return status;
  }
  return uploads->size();
}

}  // namespace coxswain::trainer::blob
