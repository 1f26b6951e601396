#include "trainer/blob/blob_names.h"
#include "trainer/blob/text.h"

#include <filesystem>

namespace coxswain::trainer::blob {
namespace {

absl::StatusOr<std::string> CleanPath(std::string_view uri, std::string_view path) {
  std::string clean;
  for (std::string_view part : Split(path, '/')) {
    if (part.empty()) continue;
    if (part == "." || part == "..") {
      return absl::InvalidArgumentError(
          Cat("'", uri, "' has a '", part, "' in it: write the path without"));
    }
    if (!clean.empty()) clean += '/';
    clean += part;
  }
  return clean;
}

absl::Status CheckSegments(std::string_view name, bool is_new) {
  for (std::string_view part : Split(name, '/')) {
    if (part.empty() || part == "." || part == ".." || part.find('\0') != part.npos ||
        (is_new && part[0] == '.')) {
      return absl::InvalidArgumentError(Cat("'", name, "' cannot be an object's name"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<StoreUri> ParseFile(std::string_view uri, std::string_view path) {
  std::error_code error;
  std::string full(path);
  if (full.empty() || full[0] != '/') full = std::filesystem::current_path(error) / full;
  if (error) return absl::InvalidArgumentError(Cat("'", uri, "': no current folder"));
  full = std::filesystem::path(full).lexically_normal();
  absl::StatusOr<std::string> clean = CleanPath(uri, full);
  if (!clean.ok()) return clean.status();
  return StoreUri{StoreUri::Scheme::kFile, "", "/" + *clean};
}

}  // namespace

std::string StoreUri::ToString() const {
  if (scheme == Scheme::kFile) return "file://" + path;
  return path.empty() ? "s3://" + bucket : Cat("s3://", bucket, "/", path);
}

absl::StatusOr<StoreUri> ParseStoreUri(std::string_view uri) {
  if (uri.empty()) return absl::InvalidArgumentError("the URI of a store is empty");
  size_t colon = uri.find("://");
  if (colon == uri.npos) return ParseFile(uri, uri);
  std::string_view scheme = uri.substr(0, colon), rest = uri.substr(colon + 3);
  if (scheme == "file") {
    if (rest.empty() || rest[0] != '/') {
      return absl::InvalidArgumentError(
          Cat("'", uri, "' names a host: write file:///", rest, " (three slashes) for a path"));
    }
    return ParseFile(uri, rest);
  }
  if (scheme == "s3") {
    std::string_view bucket = rest.substr(0, rest.find('/'));
    if (bucket.empty()) {
      return absl::InvalidArgumentError(Cat("'", uri, "' has no bucket: s3://BUCKET/PREFIX"));
    }
    absl::StatusOr<std::string> path = CleanPath(uri, rest.substr(bucket.size()));
    if (!path.ok()) return path.status();
    return StoreUri{StoreUri::Scheme::kS3, std::string(bucket), *path};
  }
  return absl::InvalidArgumentError(
      Cat("'", uri, "': unknown scheme '", scheme, "', expected file:// or s3://"));
}

absl::Status CheckName(std::string_view name) { return CheckSegments(name, false); }
absl::Status CheckNewName(std::string_view name) { return CheckSegments(name, true); }
absl::Status CheckPrefix(std::string_view prefix) {
  return prefix.empty() ? absl::OkStatus() : CheckName(prefix);
}

}  // namespace coxswain::trainer::blob
