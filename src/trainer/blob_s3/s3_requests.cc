#include "trainer/blob_s3/s3_requests.h"

#include <httplib.h>

#include "common/base/clock.h"
#include "common/base/percent_text.h"
#include "trainer/blob/text.h"
#include "trainer/blob_s3/s3_errors.h"

namespace coxswain::trainer::blob {
namespace {

std::string First(std::vector<std::string> texts) { return texts.empty() ? "" : texts.front(); }

std::string Decode(std::string_view text) {
  constexpr std::pair<std::string_view, char> kEntities[] = {
      {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}, {"&amp;", '&'}};
  std::string decoded;
  while (!text.empty()) {
    bool found = false;
    for (auto [entity, character] : kEntities) {
      if (!text.starts_with(entity)) continue;
      decoded += character;
      text.remove_prefix(entity.size());
      found = true;
      break;
    }
    if (found) continue;
    decoded += text.front();
    text.remove_prefix(1);
  }
  return decoded;
}

}  // namespace

std::vector<std::string> XmlElements(std::string_view xml, std::string_view tag) {
  std::vector<std::string> found;
  std::string open = Cat("<", tag, ">"), close = Cat("</", tag, ">");
  for (size_t at = xml.find(open); at != xml.npos; at = xml.find(open, at)) {
    at += open.size();
    size_t end = xml.find(close, at);
    if (end == xml.npos) break;
    found.push_back(Decode(xml.substr(at, end - at)));
  }
  return found;
}

S3Requests::S3Requests(S3Place place, std::function<S3Credentials()> credentials)
    : place_(std::move(place)), credentials_(std::move(credentials)), endpoint_(place_.endpoint) {
  while (endpoint_.ends_with('/')) endpoint_.pop_back();
  bool dotted = place_.bucket.find('.') != std::string::npos;  // no certificate covers those
  if (!endpoint_.empty() || dotted) path_ = "/" + place_.bucket;
  if (endpoint_.empty()) {
    endpoint_ =
        Cat("https://", dotted ? "" : place_.bucket + ".", "s3.", place_.region, ".amazonaws.com");
  }
}

std::string S3Requests::Uri(std::string_view key) const {
  return Cat("s3://", place_.bucket, "/", key);
}

absl::StatusOr<S3Requests::Answer> S3Requests::Send(std::string_view action, std::string_view key,
                                                    S3Request request) const {
  request.host = endpoint_.substr(endpoint_.find("://") + 3);
  request.path = key.empty() ? (path_.empty() ? "/" : path_) : Cat(path_, "/", key);
  httplib::Request http;
  http.method = request.method;
  http.path = base::PercentEncoded(request.path, "/");
  if (!request.query.empty()) http.path += "?" + CanonicalQuery(request.query);
  http.headers.emplace("Host", request.host);
  for (const auto& [name, value] : request.headers) http.headers.emplace(name, value);
  for (const auto& [name, value] :
       SignatureHeaders(request, credentials_(), place_.region, base::WallNow())) {
    http.headers.emplace(name, value);
  }
  http.body = std::string(request.body);
  httplib::Client client(endpoint_);
  client.set_url_encode(false);
  client.set_connection_timeout(3);
  client.set_read_timeout(30);
  client.set_write_timeout(30);
  httplib::Result result = client.send(http);
  if (!result) {
    return S3Error(action, Uri(key), endpoint_, "", 0,
                   Cat("no answer (", httplib::to_string(result.error()), ")"));
  }
  if (result->status >= 300) {
    return S3Error(action, Uri(key), endpoint_, First(XmlElements(result->body, "Code")),
                   result->status, First(XmlElements(result->body, "Message")));
  }
  return Answer{result->status, std::move(result->body)};
}

absl::Status S3Requests::PutIfAbsent(std::string_view key, std::string_view bytes) const {
  return Send("create", key, {"PUT", "", "", {}, {{"if-none-match", "*"}}, bytes}).status();
}

absl::Status S3Requests::Delete(std::string_view key) const {
  absl::Status status = Send("delete", key, {"DELETE", "", "", {}, {}, ""}).status();
  bool no_bucket = status.message().find("NoSuchBucket") != absl::string_view::npos;
  return absl::IsNotFound(status) && !no_bucket ? absl::OkStatus() : status;
}

absl::StatusOr<std::vector<S3Upload>> S3Requests::ListUploads(std::string_view key_prefix) const {
  std::vector<S3Upload> uploads;
  std::map<std::string, std::string> query = {{"uploads", ""}, {"prefix", std::string(key_prefix)}};
  while (true) {
    absl::StatusOr<Answer> answer = Send("list the uploads of", "", {"GET", "", "", query, {}, ""});
    if (!answer.ok()) return answer.status();
    std::vector<std::string> keys = XmlElements(answer->body, "Key");
    std::vector<std::string> ids = XmlElements(answer->body, "UploadId");
    if (keys.size() != ids.size()) {
      return absl::UnavailableError(Cat("the list of uploads of ", Uri(""), " at ", endpoint_,
                                        " cannot be read: it has ", keys.size(), " keys and ",
                                        ids.size(), " ids"));
    }
    for (size_t i = 0; i < keys.size(); ++i) {
      if (keys[i].starts_with(key_prefix)) uploads.push_back({keys[i], ids[i]});
    }
    if (First(XmlElements(answer->body, "IsTruncated")) != "true") return uploads;
    query["key-marker"] = First(XmlElements(answer->body, "NextKeyMarker"));
    query["upload-id-marker"] = First(XmlElements(answer->body, "NextUploadIdMarker"));
  }
}

absl::Status S3Requests::AbortUpload(const S3Upload& upload) const {
  absl::Status status =
      Send("abort an upload of", upload.key, {"DELETE", "", "", {{"uploadId", upload.id}}, {}, ""})
          .status();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

}  // namespace coxswain::trainer::blob
