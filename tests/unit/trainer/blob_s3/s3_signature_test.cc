// Examples with their signatures:
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
#include "trainer/blob_s3/s3_signature.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace coxswain::trainer::blob {
namespace {

using ::testing::EndsWith;

const S3Credentials kExample{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                             ""};
constexpr base::WallTime kMay24{1369353600'000'000};  // 2013-05-24T00:00:00Z

std::string Authorization(S3Request request) {
  request.host = "examplebucket.s3.amazonaws.com";
  return SignatureHeaders(request, kExample, "us-east-1", kMay24)["authorization"];
}

TEST(SignatureHeaders, GetObjectWithRange_AsInTheDocument) {
  EXPECT_THAT(Authorization({"GET", "", "/test.txt", {}, {{"range", "bytes=0-9"}}, ""}),
              EndsWith("f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"));
}

TEST(SignatureHeaders, PutObject_AsInTheDocument) {
  EXPECT_THAT(Authorization({"PUT",
                             "",
                             "/test$file.text",
                             {},
                             {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                              {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                             "Welcome to Amazon S3."}),
              EndsWith("98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
}

TEST(SignatureHeaders, QueryWithoutValue_AsInTheDocument) {
  EXPECT_THAT(Authorization({"GET", "", "/", {{"lifecycle", ""}}, {}, ""}),
              EndsWith("fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
}

TEST(SignatureHeaders, QueryOfTwo_AsInTheDocument) {
  EXPECT_THAT(Authorization({"GET", "", "/", {{"prefix", "J"}, {"max-keys", "2"}}, {}, ""}),
              EndsWith("34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

TEST(SignatureHeaders, SessionToken_IsSentAndSigned) {
  S3Credentials credentials = kExample;
  credentials.session_token = "token";
  auto headers =
      SignatureHeaders({"GET", "host", "/", {}, {}, ""}, credentials, "us-east-1", kMay24);
  EXPECT_EQ(headers["x-amz-security-token"], "token");
  EXPECT_THAT(headers["authorization"], ::testing::HasSubstr(";x-amz-security-token,"));
}

}  // namespace
}  // namespace coxswain::trainer::blob
