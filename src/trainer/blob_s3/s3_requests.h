// Signed requests of our own to one bucket: what Arrow's S3FileSystem has no call for.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trainer/blob_s3/s3_signature.h"

namespace coxswain::trainer::blob {

struct S3Place {
  std::string endpoint;  // "http://127.0.0.1:7480"; empty: AWS itself
  std::string region;
  std::string bucket;
};

struct S3Upload {
  std::string key, id;
};

// Threads: any. One connection a call; no retries. Errors by S3Error.
class S3Requests {
 public:
  // `credentials` is asked before each request (they may expire and be renewed).
  S3Requests(S3Place place, std::function<S3Credentials()> credentials);

  // ALREADY_EXISTS if there is an object; UNIMPLEMENTED if the store does not know If-None-Match.
  absl::Status PutIfAbsent(std::string_view key, std::string_view bytes) const;
  absl::Status Delete(std::string_view key) const;  // one that is not there is OK
  absl::StatusOr<std::vector<S3Upload>> ListUploads(std::string_view key_prefix) const;
  absl::Status AbortUpload(const S3Upload& upload) const;  // one that is not there is OK

  const std::string& endpoint() const { return endpoint_; }

 private:
  struct Answer {
    int status = 0;
    std::string body;
  };
  absl::StatusOr<Answer> Send(std::string_view action, std::string_view key,
                              S3Request request) const;
  std::string Uri(std::string_view key) const;

  const S3Place place_;
  const std::function<S3Credentials()> credentials_;
  std::string endpoint_;  // with scheme, without a trailing '/'
  std::string path_;      // before the key: "/bucket" or ""
};

// Texts of every <tag>...</tag> in `xml`, entities decoded.
std::vector<std::string> XmlElements(std::string_view xml, std::string_view tag);

}  // namespace coxswain::trainer::blob
