#include "trainer/blob_s3/s3_errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trainer/blob/blob_store.h"
#include "trainer/blob_s3/s3_requests.h"

namespace coxswain::trainer::blob {
namespace {

absl::Status FromArrow(std::string_view text) {
  return S3ErrorFromArrow("write", "s3://b/k", "http://h:1", text);
}

TEST(S3ErrorFromArrow, NetworkConnection_IsRetryableAndShort) {
  absl::Status status = FromArrow(
      "When uploading object with key 'k' in bucket 'b': AWS Error NETWORK_CONNECTION during "
      "PutObject operation: curlCode: 7, Couldn't connect to server");
  EXPECT_TRUE(IsRetryable(status));
  EXPECT_EQ(
      status.message(),
      "cannot write s3://b/k at http://h:1: NETWORK_CONNECTION: curlCode: 7, Couldn't connect to "
      "server");
}

TEST(S3ErrorFromArrow, KnownNames_HaveTheirCodeAndWhatToDo) {
  absl::Status bucket = FromArrow("x: AWS Error NO_SUCH_BUCKET during PutObject operation: ");
  EXPECT_EQ(bucket.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(bucket.message()), ::testing::HasSubstr("create the bucket"));
  absl::Status key =
      FromArrow("x: AWS Error INVALID_ACCESS_KEY_ID during HeadObject operation: no");
  EXPECT_EQ(key.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(key.message()), ::testing::HasSubstr("AWS_ACCESS_KEY_ID"));
}

TEST(S3ErrorFromArrow, UnknownWithHttpStatus_GoesByIt) {
  EXPECT_EQ(FromArrow("x: AWS Error UNKNOWN (HTTP status 403) during HeadObject operation: No "
                      "response body.")
                .code(),
            absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(
      IsRetryable(FromArrow("x: AWS Error UNKNOWN (HTTP status 503) during A operation: y")));
}

TEST(XmlElements, AllOfThemDecoded) {
  EXPECT_THAT(XmlElements("<A><Key>a&amp;b</Key><Key>&lt;&quot;</Key><Key>", "Key"),
              ::testing::ElementsAre("a&b", "<\""));
}

}  // namespace
}  // namespace coxswain::trainer::blob
