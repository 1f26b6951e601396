// The one door to checkpoint stores and data: objects (immutable byte strings with a name) below a
// URI. file:// and s3:// today; a path without a scheme is a file.
//
// Names are relative to the store's URI: segments joined by '/', none of them empty, "." or "..".
// What is written does not begin with '.'. Threads: every method may be called from several threads
// at once; a BlobWriter belongs to one. Durability: what Put, PutIfAbsent, BlobWriter::Commit and
// Delete acknowledged survives a power cut. An object appears whole or not at all.
//
// Errors carry the object's URI, what was found and what to do. Codes:
//   NOT_FOUND            the object, bucket or folder does not exist
//   ALREADY_EXISTS       PutIfAbsent only
//   OUT_OF_RANGE         GetRange past the end
//   PERMISSION_DENIED, UNAUTHENTICATED   rights or credentials
//   INVALID_ARGUMENT     a URI or name that cannot be
//   FAILED_PRECONDITION  the store cannot do this (read-only, a file where a folder should be)
//   UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED   retryable: see IsRetryable
//   CANCELLED            the store's Patience was cancelled
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trainer/blob/patience.h"

namespace coxswain::trainer::blob {

// How to reach a store; from spec.checkpoint of the job. Credentials never stand here: they are
// found by the standard AWS variables and files of the process.
class BlobStore;
struct StoreSettings {
  std::string
      endpoint;        // s3: "http://127.0.0.1:7480"; empty: AWS_ENDPOINT_URL[_S3], else AWS itself
  std::string region;  // s3; empty: AWS_REGION, AWS_DEFAULT_REGION, else us-east-1
  // How long parts of an object are tried again inside one call, how to end it, and what is waited
  // for. Empty: a few seconds.
  std::shared_ptr<Patience> patience;
  // Opens the store instead of what the URI's scheme names: for tests.
  std::function<std::unique_ptr<BlobStore>(std::string_view uri)> open;
};

struct BlobInfo {
  std::string name;  // relative to the store's URI
  uint64_t bytes = 0;
  friend bool operator==(const BlobInfo&, const BlobInfo&) = default;
};

// An object that is being written. Nothing is visible before Commit; destroying it without Commit
// drops what was written (and aborts an upload in parts).
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  [[nodiscard]] virtual absl::Status Write(std::string_view bytes) = 0;
  [[nodiscard]] virtual absl::Status Commit() = 0;  // at most once; durable and visible when OK
};

class BlobStore {
 public:
  virtual ~BlobStore() = default;
  virtual const std::string& uri() const = 0;  // normalized, without a trailing '/'

  // Replaces an object of the same name.
  [[nodiscard]] virtual absl::Status Put(std::string_view name, std::string_view bytes) = 0;
  // ALREADY_EXISTS if there is one. Atomic on file:// and on S3 stores that know If-None-Match.
  [[nodiscard]] virtual absl::Status PutIfAbsent(std::string_view name, std::string_view bytes) = 0;
  [[nodiscard]] virtual absl::StatusOr<std::unique_ptr<BlobWriter>> Create(
      std::string_view name) = 0;

  [[nodiscard]] virtual absl::StatusOr<std::string> Get(std::string_view name) = 0;
  // Fills to[0, bytes) from `offset`; fewer bytes than asked for is OUT_OF_RANGE.
  [[nodiscard]] virtual absl::Status GetRange(std::string_view name, uint64_t offset, char* to,
                                              uint64_t bytes) = 0;
  [[nodiscard]] virtual absl::StatusOr<uint64_t> Size(std::string_view name) = 0;
  // Every object below `prefix` (a folder name without '/' at the end; "": all), ascending by name.
  // A prefix that does not exist has none. Unfinished writes are not listed.
  [[nodiscard]] virtual absl::StatusOr<std::vector<BlobInfo>> List(std::string_view prefix) = 0;
  // An object that is not there is OK. Folders left empty (file://) go too, below the store's URI.
  [[nodiscard]] virtual absl::Status Delete(std::string_view name) = 0;
  // Drops what unfinished writes left below `prefix` (temporary files, uploads in parts); the
  // count.
  [[nodiscard]] virtual absl::StatusOr<uint64_t> AbortUploads(std::string_view prefix) = 0;
};

// Opens the store at `uri`. Does no I/O on it yet, but for s3:// the module libcoxswain_s3.so is
// loaded (once a process, from the folder of the program or ../lib).
absl::StatusOr<std::unique_ptr<BlobStore>> OpenStore(std::string_view uri,
                                                     const StoreSettings& settings);

// Opens the store at the parent of an object's URI: for data files and single objects.
struct ObjectAt {
  std::unique_ptr<BlobStore> store;
  std::string name;
};
absl::StatusOr<ObjectAt> OpenObject(std::string_view uri, const StoreSettings& settings);

// Whether the same call may succeed later with nothing changed by a person who reads the error
// (an unreachable store, a slow or full one).
bool IsRetryable(const absl::Status& status);

}  // namespace coxswain::trainer::blob
