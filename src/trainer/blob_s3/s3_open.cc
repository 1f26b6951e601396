// Settings of a job and the process's environment, as options of Arrow's S3FileSystem.
#include <arrow/filesystem/s3fs.h>
#include <arrow/result.h>
#include <arrow/status.h>

#include <cstdlib>

#include "trainer/blob/text.h"
#include "trainer/blob_s3/s3_blob_store.h"

namespace coxswain::trainer::blob {
namespace {

// Parts are tried again for as long as the store's Patience allows.
class PatientRetries final : public arrow::fs::S3RetryStrategy {
 public:
  PatientRetries(std::shared_ptr<Patience> patience, std::string endpoint)
      : patience_(std::move(patience)), endpoint_(std::move(endpoint)) {}

  bool ShouldRetry(const AWSErrorDetail& error, int64_t) override {
    if (!error.should_retry) return false;
    std::optional<base::Duration> pause = patience_->Failed(absl::UnavailableError(
        Cat(error.message.empty() ? error.exception_name : error.message, " at ", endpoint_)));
    pause_ = pause.value_or(base::Duration(0));
    return pause.has_value();
  }
  int64_t CalculateDelayBeforeNextRetry(const AWSErrorDetail&, int64_t) override {
    return pause_.count() / 1000;
  }

 private:
  static thread_local base::Duration pause_;
  const std::shared_ptr<Patience> patience_;
  const std::string endpoint_;
};
thread_local base::Duration PatientRetries::pause_{};

std::string FirstSet(std::initializer_list<const char*> variables) {
  for (const char* name : variables) {
    const char* value = getenv(name);
    if (value && *value) return value;
  }
  return "";
}

absl::Status StartS3() {
  // Newer AWS SDKs send checksums that S3 stores of an older make refuse; our own hashes stand for
  // them.
  setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "WHEN_REQUIRED", 0);
  setenv("AWS_RESPONSE_CHECKSUM_VALIDATION", "WHEN_REQUIRED", 0);
  arrow::fs::S3GlobalOptions options = arrow::fs::S3GlobalOptions::Defaults();
  options.log_level = arrow::fs::S3LogLevel::Off;
  arrow::Status status = arrow::fs::InitializeS3(options);
  if (!status.ok()) return absl::InternalError(Cat("cannot start S3: ", status.message()));
  return absl::OkStatus();
}

// Ends S3 with the process. Exit handlers run in the reverse order of their registration, and
// Arrow's S3 makes statics that its end needs with the first file system: to be called after that.
void EndWithProcess() {
  static const int registered = std::atexit([] { (void)arrow::fs::EnsureS3Finalized(); });
  (void)registered;
}

absl::Status SetEndpoint(std::string_view endpoint, arrow::fs::S3Options* options) {
  size_t colon = endpoint.find("://");
  std::string_view scheme = endpoint.substr(0, colon);
  if (colon == endpoint.npos || (scheme != "http" && scheme != "https")) {
    return absl::InvalidArgumentError(
        Cat("the S3 endpoint '", endpoint, "' must begin with http:// or https://"));
  }
  std::string_view host = endpoint.substr(colon + 3);
  while (host.ends_with('/')) host.remove_suffix(1);
  if (host.empty() || host.find('/') != host.npos) {
    return absl::InvalidArgumentError(Cat("the S3 endpoint '", endpoint,
                                          "' must be a host, with a port or without, and no path"));
  }
  options->scheme = scheme;
  options->endpoint_override = host;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<BlobStore>> OpenS3Store(const StoreUri& uri,
                                                       const StoreSettings& settings) {
  static const absl::Status started = StartS3();
  if (!started.ok()) return started;

  std::string endpoint = settings.endpoint.empty()
                             ? FirstSet({"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"})
                             : settings.endpoint;
  auto options = arrow::fs::S3Options::Defaults();
  if (!endpoint.empty()) {
    if (absl::Status status = SetEndpoint(endpoint, &options); !status.ok()) return status;
  }
  options.region =
      settings.region.empty() ? FirstSet({"AWS_REGION", "AWS_DEFAULT_REGION"}) : settings.region;
  if (options.region.empty()) options.region = "us-east-1";
  options.connect_timeout = 3;
  options.request_timeout = 15;       // without a byte; below the quiet time of Patience
  options.allow_delayed_open = true;  // small objects in one request
  auto patience = settings.patience
                      ? settings.patience
                      : std::make_shared<Patience>(RetryPolicy{}, "store " + uri.ToString());
  options.retry_strategy = std::make_shared<PatientRetries>(
      patience, endpoint.empty() ? "s3." + options.region + ".amazonaws.com" : endpoint);
  if (options.GetAccessKey().empty()) {
    return absl::UnauthenticatedError(
        Cat("no AWS credentials for ", uri.ToString(),
            ": set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY where this runs (for a job: in the "
            "worker's environment), or fill ~/.aws/credentials"));
  }
  auto files = arrow::fs::S3FileSystem::Make(options);
  if (!files.ok()) {
    return absl::UnavailableError(
        Cat("cannot open ", uri.ToString(), ": ", files.status().message()));
  }
  EndWithProcess();
  S3Requests requests({endpoint, options.region, uri.bucket}, [options] {
    return S3Credentials{options.GetAccessKey(), options.GetSecretKey(), options.GetSessionToken()};
  });
  return std::make_unique<S3BlobStore>(uri, *std::move(files), std::move(requests),
                                       std::move(patience));
}

}  // namespace coxswain::trainer::blob
