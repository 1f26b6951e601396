#include "trainer/blob_s3/s3_errors.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "trainer/blob/text.h"

namespace coxswain::trainer::blob {
namespace {

struct Known {
  const char* name;  // lower case, without '_'
  absl::StatusCode code;
  const char* what_to_do;
};
constexpr char kCheckKeys[] =
    "; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the AWS profile, of the machine that "
    "runs this";
constexpr char kCheckRights[] = "; let this access key read, write, list and delete there";
constexpr Known kKnown[] = {
    {"nosuchbucket", absl::StatusCode::kNotFound, "; create the bucket, or correct the URI"},
    {"nosuchkey", absl::StatusCode::kNotFound, ""},
    {"nosuchupload", absl::StatusCode::kNotFound, ""},
    {"resourcenotfound", absl::StatusCode::kNotFound, ""},
    {"accessdenied", absl::StatusCode::kPermissionDenied, kCheckRights},
    {"allaccessdisabled", absl::StatusCode::kPermissionDenied, kCheckRights},
    {"invalidaccesskeyid", absl::StatusCode::kUnauthenticated, kCheckKeys},
    {"invalidclienttokenid", absl::StatusCode::kUnauthenticated, kCheckKeys},
    {"signaturedoesnotmatch", absl::StatusCode::kUnauthenticated, kCheckKeys},
    {"expiredtoken", absl::StatusCode::kUnauthenticated, kCheckKeys},
    {"invalidtoken", absl::StatusCode::kUnauthenticated, kCheckKeys},
    {"missingauthenticationtoken", absl::StatusCode::kUnauthenticated, kCheckKeys},
    {"permanentredirect", absl::StatusCode::kFailedPrecondition, "; correct the region"},
    {"authorizationheadermalformed", absl::StatusCode::kFailedPrecondition, "; correct the region"},
    {"invalidbucketname", absl::StatusCode::kInvalidArgument, "; correct the URI"},
    {"preconditionfailed", absl::StatusCode::kAlreadyExists, ""},
    {"conditionalrequestconflict", absl::StatusCode::kAborted, ""},
    {"notimplemented", absl::StatusCode::kUnimplemented, ""},
    {"invalidrange", absl::StatusCode::kOutOfRange, ""},
    {"quotaexceeded", absl::StatusCode::kResourceExhausted, "; raise the quota or free some space"},
};

std::string Plain(std::string_view name) {
  std::string plain;
  for (char c : name) {
    if (c != '_') plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return plain;
}

absl::StatusCode ByHttpStatus(int http_status) {
  switch (http_status) {
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kNotFound;
    case 412:
      return absl::StatusCode::kAlreadyExists;
    case 416:
      return absl::StatusCode::kOutOfRange;
    case 501:
      return absl::StatusCode::kUnimplemented;
    case 400:
      return absl::StatusCode::kFailedPrecondition;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

}  // namespace

absl::Status S3Error(std::string_view action, std::string_view uri, std::string_view endpoint,
                     std::string_view code, int http_status, std::string_view message) {
  std::string plain = Plain(code);
  auto known = std::find_if(std::begin(kKnown), std::end(kKnown),
                            [&](const Known& one) { return plain == one.name; });
  bool is_known = known != std::end(kKnown);
  absl::StatusCode status = is_known ? known->code : ByHttpStatus(http_status);
  std::string said(code);
  if (!message.empty()) said += Cat(said.empty() ? "" : ": ", message);
  if (http_status != 0 && said.empty()) said = Cat("HTTP status ", http_status);
  while (!said.empty() && (said.back() == '.' || said.back() == '\n')) said.pop_back();
  return absl::Status(status, Cat("cannot ", action, " ", uri, " at ", endpoint, ": ", said,
                                  is_known ? known->what_to_do : ""));
}

absl::Status S3ErrorFromArrow(std::string_view action, std::string_view uri,
                              std::string_view endpoint, std::string_view text) {
  constexpr std::string_view kBefore = "AWS Error ", kAfter = " during ", kHttp = "(HTTP status ",
                             kOperation = " operation: ";
  size_t begin = text.find(kBefore);
  if (begin == text.npos) {
    bool absent = text.find("Path does not exist") != text.npos;  // Arrow's own words
    return S3Error(action, uri, endpoint, absent ? "NoSuchKey" : "", 0, absent ? "" : text);
  }
  std::string_view code = text.substr(begin + kBefore.size());
  size_t after = code.find(kAfter), operation = code.find(kOperation);
  std::string_view message =
      operation == code.npos ? std::string_view() : code.substr(operation + kOperation.size());
  code = code.substr(0, after);
  int http_status = 0;
  if (size_t at = code.find(kHttp); at != code.npos) {
    http_status = std::atoi(std::string(code.substr(at + kHttp.size())).c_str());
    code = code.substr(0, code.find_last_not_of(' ', at - 1) + 1);
  }
  return S3Error(action, uri, endpoint, code, http_status, message);
}

}  // namespace coxswain::trainer::blob
