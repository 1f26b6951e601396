#include "trainer/blob_s3/s3_signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <ctime>

#include "common/base/percent_text.h"
#include "trainer/blob/text.h"

namespace coxswain::trainer::blob {
namespace {

std::string ToHex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (unsigned char byte : bytes) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

std::string Sha256Hex(std::string_view text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return ToHex({reinterpret_cast<char*>(digest), sizeof digest});
}

std::string HmacSha256(std::string_view key, std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &length);
  return {reinterpret_cast<char*>(digest), length};
}

std::string UtcTime(base::WallTime time, const char* format) {
  time_t seconds = time.us / 1'000'000;
  tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  strftime(text, sizeof text, format, &utc);
  return text;
}

}  // namespace

std::string CanonicalQuery(const std::map<std::string, std::string>& query) {
  std::string text;
  for (const auto& [key, value] : query) {
    text +=
        Cat(text.empty() ? "" : "&", base::PercentEncoded(key), "=", base::PercentEncoded(value));
  }
  return text;
}

std::map<std::string, std::string> SignatureHeaders(const S3Request& request,
                                                    const S3Credentials& credentials,
                                                    std::string_view region, base::WallTime now) {
  std::string date = UtcTime(now, "%Y%m%d"), time = UtcTime(now, "%Y%m%dT%H%M%SZ");
  std::map<std::string, std::string> added = {{"x-amz-date", time},
                                              {"x-amz-content-sha256", Sha256Hex(request.body)}};
  if (!credentials.session_token.empty()) {
    added["x-amz-security-token"] = credentials.session_token;
  }
  std::map<std::string, std::string> all = added;
  all.insert(request.headers.begin(), request.headers.end());
  all["host"] = request.host;

  std::string lines, names;
  for (const auto& [name, value] : all) {
    lines += Cat(name, ":", value, "\n");
    names += Cat(names.empty() ? "" : ";", name);
  }
  std::string canonical = Cat(request.method, "\n", base::PercentEncoded(request.path, "/"), "\n",
                              CanonicalQuery(request.query), "\n", lines, "\n", names, "\n",
                              added["x-amz-content-sha256"]);
  std::string scope = Cat(date, "/", region, "/s3/aws4_request");
  std::string to_sign = Cat("AWS4-HMAC-SHA256\n", time, "\n", scope, "\n", Sha256Hex(canonical));
  std::string key = HmacSha256("AWS4" + credentials.secret_key, date);
  for (std::string_view part : {region, std::string_view("s3"), std::string_view("aws4_request")}) {
    key = HmacSha256(key, part);
  }
  added["authorization"] =
      Cat("AWS4-HMAC-SHA256 Credential=", credentials.access_key, "/", scope,
          ",SignedHeaders=", names, ",Signature=", ToHex(HmacSha256(key, to_sign)));
  return added;
}

}  // namespace coxswain::trainer::blob
