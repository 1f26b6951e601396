// Percent-encoding (RFC 3986): of URL paths and queries, of S3 signatures, of gRPC targets.
#pragma once

#include <string>
#include <string_view>

namespace coxswain::base {

// Letters, digits and "-._~" stay, and what is in `kept`; any other byte becomes "%2F", upper case.
std::string PercentEncoded(std::string_view text, std::string_view kept = "");

}  // namespace coxswain::base
