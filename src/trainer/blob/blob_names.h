// Names of objects and URIs of stores as texts.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace coxswain::trainer::blob {

struct StoreUri {
  enum class Scheme { kFile, kS3 } scheme = Scheme::kFile;
  std::string bucket;  // s3
  std::string path;    // file: absolute ("/" alone is "/"); s3: key prefix, without '/' at the ends
  std::string ToString() const;
};

// "file:///a/b", "s3://bucket/a/b", "/a/b", "a/b" (from the current folder). Repeated and trailing
// '/' go.
absl::StatusOr<StoreUri> ParseStoreUri(std::string_view uri);

// Whether a name may be read, and whether it may be written (see blob_store.h).
absl::Status CheckName(std::string_view name);
absl::Status CheckNewName(std::string_view name);
// A name, or "" for all.
absl::Status CheckPrefix(std::string_view prefix);

}  // namespace coxswain::trainer::blob
