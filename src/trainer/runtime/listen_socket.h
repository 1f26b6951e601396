// The address at which a rank would host a generation's store: a listening socket, bound before any
// generation is made, and kept for the life of the process.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace coxswain::trainer {

class ListenSocket {
 public:
  ListenSocket() = default;
  ListenSocket(ListenSocket&& other) noexcept;
  ListenSocket& operator=(ListenSocket&& other) noexcept;
  ~ListenSocket();

  // Binds to a numeric IPv4 or IPv6 `address`, at the first free port of [first, last] (0: any).
  // UNAVAILABLE: no port is free, or the address is not of this machine.
  static absl::StatusOr<ListenSocket> Bind(const std::string& address, uint16_t first,
                                           uint16_t last);

  int fd() const { return fd_; }
  uint16_t port() const { return port_; }
  std::string address() const;  // "10.0.0.1:29511", "[fe80::1]:29511"

 private:
  int fd_ = -1;
  uint16_t port_ = 0;
  std::string host_;
};

// "10.0.0.1:29511" or "[::1]:29511" into its parts; false if it is neither.
bool SplitAddress(const std::string& address, std::string* host, uint16_t* port);

}  // namespace coxswain::trainer
