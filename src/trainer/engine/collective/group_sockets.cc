#include "trainer/engine/collective/group_sockets.h"

#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>

namespace coxswain::trainer::engine {

std::set<GroupSockets::Socket> GroupSockets::Connected() {
  std::set<Socket> found;
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return found;
  while (dirent* entry = readdir(folder)) {
    if (entry->d_name[0] == '.') continue;
    int fd = std::atoi(entry->d_name);
    sockaddr_storage peer;
    socklen_t length = sizeof peer;
    struct stat info;
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) != 0) continue;
    if (peer.ss_family != AF_INET && peer.ss_family != AF_INET6) continue;
    if (fstat(fd, &info) == 0) found.emplace(fd, info.st_ino);
  }
  closedir(folder);
  return found;
}

void GroupSockets::Begin() {
  std::lock_guard lock(mutex_);
  before_ = Connected();
  own_.clear();
  forming_ = true;
  ended_ = false;
}

void GroupSockets::Settle() {
  std::lock_guard lock(mutex_);
  std::set<Socket> now = Connected();
  std::set_difference(now.begin(), now.end(), before_.begin(), before_.end(),
                      std::inserter(own_, own_.end()));
  forming_ = false;
}

void GroupSockets::Forget() {
  std::lock_guard lock(mutex_);
  own_.clear();
  forming_ = false;
}

void GroupSockets::Shutdown() {
  std::lock_guard lock(mutex_);
  ended_ = true;
  std::set<Socket> now = Connected();
  for (const Socket& socket : now) {
    bool ours = forming_ ? !before_.contains(socket) : own_.contains(socket);
    if (ours) shutdown(socket.first, SHUT_RDWR);
  }
}

}  // namespace coxswain::trainer::engine
