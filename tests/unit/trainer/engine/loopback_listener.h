// Where the first rank of a test's group opens the group's store.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace coxswain::trainer::engine {

// LibTorch's flight recorder is one for the whole process and writes one of its tables without a
// lock: groups on several threads end it by SIGSEGV, or go round in that table for ever. A trainer
// has one group. Off before the first one forms.
inline const bool kNoFlightRecorder = setenv("TORCH_FR_BUFFER_SIZE", "0", 1) == 0;

struct Listener {
  static void Require(bool done) {
    if (!done) std::abort();
  }
  int fd = -1;
  uint16_t port = 0;
  Listener() {
    fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    Require(bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0);
    Require(listen(fd, 64) == 0);
    Require(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0);
    port = ntohs(address.sin_port);
  }
  ~Listener() { close(fd); }
};

}  // namespace coxswain::trainer::engine
