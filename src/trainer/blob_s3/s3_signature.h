// AWS Signature Version 4 of an S3 request.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace coxswain::trainer::blob {

struct S3Credentials {
  std::string access_key, secret_key, session_token;  // token: often empty
};

struct S3Request {
  std::string method;  // "GET"
  std::string host;    // as in the Host header, with the port unless it is the scheme's
  std::string path;    // "/bucket/key", not encoded
  std::map<std::string, std::string> query;    // not encoded
  std::map<std::string, std::string> headers;  // names in lower case; not host, not those below
  std::string_view body;
};

std::string CanonicalQuery(const std::map<std::string, std::string>& query);

// The headers to send besides the request's own: authorization, x-amz-date, x-amz-content-sha256
// and, with a session token, x-amz-security-token.
std::map<std::string, std::string> SignatureHeaders(const S3Request& request,
                                                    const S3Credentials& credentials,
                                                    std::string_view region, base::WallTime now);

}  // namespace coxswain::trainer::blob
