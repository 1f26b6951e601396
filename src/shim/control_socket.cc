#include "shim/control_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/shim_protocol.h"

namespace coxswain::shim {
namespace {

constexpr size_t kMostClients = 16;
constexpr size_t kLongestLine = 4096;

bool SameUser(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == geteuid() || peer.uid == 0);
}

}  // namespace

ControlSocket::~ControlSocket() { Close(); }

std::string ControlSocket::Listen() {
  listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener_ < 0) return std::string("socket: ") + strerror(errno);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, base::kShimSocketFile, sizeof address.sun_path - 1);
  unlink(base::kShimSocketFile);
  mode_t old_mask = umask(0177);
  int bound = bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
  int bind_errno = errno;
  umask(old_mask);
  if (bound != 0) return std::string("bind shim.sock: ") + strerror(bind_errno);
  if (listen(listener_, 8) != 0) return std::string("listen: ") + strerror(errno);
  return "";
}

void ControlSocket::AddSubscribed(int fd) { clients_[fd].subscribed = true; }

void ControlSocket::AppendPolls(std::vector<pollfd>& polls) const {
  if (listener_ >= 0) polls.push_back({listener_, POLLIN, 0});
  for (const auto& [fd, client] : clients_) polls.push_back({fd, POLLIN, 0});
}

std::vector<ControlSocket::Line> ControlSocket::Take(const std::vector<pollfd>& polls) {
  std::vector<Line> lines;
  for (const pollfd& poll : polls) {
    if (poll.revents == 0) continue;
    if (poll.fd == listener_) {
      Accept();
    } else if (clients_.contains(poll.fd) && !Receive(poll.fd, lines)) {
      Drop(poll.fd);
    }
  }
  return lines;
}

void ControlSocket::Accept() {
  int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  if (!SameUser(fd) || clients_.size() >= kMostClients) {
    close(fd);
    return;
  }
  clients_[fd] = Client{};
}

bool ControlSocket::Receive(int fd, std::vector<Line>& lines) {
  char buffer[1024];
  ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) return false;
  std::string& pending = clients_[fd].pending;
  pending.append(buffer, static_cast<size_t>(n));
  size_t end;
  while ((end = pending.find('\n')) != std::string::npos) {
    lines.push_back({fd, pending.substr(0, end)});
    pending.erase(0, end + 1);
  }
  return pending.size() <= kLongestLine;
}

void ControlSocket::Subscribe(int client) {
  auto it = clients_.find(client);
  if (it != clients_.end()) it->second.subscribed = true;
}

void ControlSocket::Send(int client, std::string_view line) {
  if (!clients_.contains(client)) return;
  std::string text = std::string(line) + "\n";
  // A worker that does not read is cut off; it finds the exit record on disk.
  ssize_t n = send(client, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n != static_cast<ssize_t>(text.size())) Drop(client);
}

void ControlSocket::SendToSubscribers(std::string_view line) {
  std::vector<int> subscribed;
  for (const auto& [fd, client] : clients_) {
    if (client.subscribed) subscribed.push_back(fd);
  }
  for (int fd : subscribed) Send(fd, line);
}

void ControlSocket::Drop(int fd) {
  clients_.erase(fd);
  close(fd);
}

void ControlSocket::Close() {
  while (!clients_.empty()) Drop(clients_.begin()->first);
  if (listener_ >= 0) {
    unlink(base::kShimSocketFile);
    close(listener_);
  }
  listener_ = -1;
}

}  // namespace coxswain::shim
