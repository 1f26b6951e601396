// Who may ask: the Host header and the token. Pure text work.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coxswain::coordinator::http {

// "[::1]:80" -> {"::1", 80}; nothing for anything else than HOST:PORT.
struct HostPort {
  std::string host;
  int port = 0;
};
std::optional<HostPort> SplitAddress(std::string_view address);

// 127.0.0.0/8, ::1, localhost.
bool IsLoopback(std::string_view host);

class Access {
 public:
  // `listen_host`: where the server listens. `token`: needed unless that is loopback.
  Access(std::string listen_host, std::vector<std::string> hosts, std::string token);

  // Whether a Host header (with or without a port) may be ours. A browser that was led here by a
  // name that somebody else controls (DNS rebinding) sends that name: it is refused. A server on
  // all addresses takes every numeric one.
  bool HostIsOurs(std::string_view host_header) const;
  bool NeedsToken() const { return !IsLoopback(listen_host_); }
  // The Authorization header: "Bearer TOKEN", or Basic with the token as the password.
  bool Admits(std::string_view authorization) const;

 private:
  std::string listen_host_;
  std::vector<std::string> hosts_;
  std::string token_;
};

// Nothing: not base64.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace coxswain::coordinator::http
