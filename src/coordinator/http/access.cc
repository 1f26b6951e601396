#include "coordinator/http/access.h"

#include <absl/strings/ascii.h>
#include <absl/strings/escaping.h>
#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <arpa/inet.h>

#include <algorithm>

namespace coxswain::coordinator::http {
namespace {

bool IsNumeric(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

bool IsWildcard(std::string_view host) { return host == "0.0.0.0" || host == "::"; }

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = absl::ascii_tolower(static_cast<unsigned char>(c));
  return out;
}

// "Name:80" -> "name", "[::1]" -> "::1".
std::string HostOf(std::string_view header) {
  if (header.starts_with('[')) {
    size_t end = header.find(']');
    return end == std::string_view::npos ? "" : Lower(header.substr(1, end - 1));
  }
  std::string host = Lower(header.substr(0, header.find(':')));
  if (host.ends_with('.')) host.pop_back();
  return host;
}

// In a time that depends on the lengths only.
bool Same(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

// The text after "Bearer " or "Basic "; nothing if it does not begin so.
std::optional<std::string_view> After(std::string_view text, std::string_view scheme) {
  if (text.size() < scheme.size() || Lower(text.substr(0, scheme.size())) != scheme) {
    return std::nullopt;
  }
  return text.substr(scheme.size());
}

}  // namespace

std::optional<HostPort> SplitAddress(std::string_view address) {
  size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  HostPort out;
  std::string port(address.substr(colon + 1));
  if (!absl::SimpleAtoi(port, &out.port) || out.port < 0 || out.port > 65535) return std::nullopt;
  std::string_view host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  out.host = host;
  if (out.host.empty()) return std::nullopt;
  return out;
}

bool IsLoopback(std::string_view host) {
  std::string name = Lower(host);
  in_addr v4;
  if (inet_pton(AF_INET, name.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  return name == "localhost" || name == "::1";
}

Access::Access(std::string listen_host, std::vector<std::string> hosts, std::string token)
    : listen_host_(Lower(listen_host)), hosts_(std::move(hosts)), token_(std::move(token)) {
  for (std::string& host : hosts_) host = HostOf(host);
}

bool Access::HostIsOurs(std::string_view host_header) const {
  std::string host = HostOf(host_header);
  if (host.empty()) return false;
  if (host == listen_host_ || IsLoopback(host)) return true;
  if (IsWildcard(listen_host_) && IsNumeric(host)) return true;
  return std::find(hosts_.begin(), hosts_.end(), host) != hosts_.end();
}

bool Access::Admits(std::string_view authorization) const {
  if (!NeedsToken()) return true;
  if (token_.empty()) return false;
  if (auto bearer = After(authorization, "bearer ")) return Same(*bearer, token_);
  auto basic = After(authorization, "basic ");
  if (!basic) return false;
  std::optional<std::string> pair = DecodeBase64(*basic);
  size_t colon = pair ? pair->find(':') : std::string::npos;
  return colon != std::string::npos && Same(std::string_view(*pair).substr(colon + 1), token_);
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  std::string out;
  if (!absl::Base64Unescape(absl::string_view(text.data(), text.size()), &out)) return std::nullopt;
  return out;
}

}  // namespace coxswain::coordinator::http
