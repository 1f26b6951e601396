#include "shim/process_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <map>

namespace coxswain::shim {
namespace {

std::string ReadFile(const std::string& path) {
  std::string text;
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  char buffer[4096];
  ssize_t n;
  while ((n = read(fd, buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
  close(fd);
  return text;
}

// The fields of /proc/PID/stat from the third on: the second, the name, may hold anything.
std::string StatTail(pid_t pid) {
  std::string stat = ReadFile("/proc/" + std::to_string(pid) + "/stat");
  size_t name_end = stat.rfind(')');
  return name_end == std::string::npos ? "" : stat.substr(name_end + 2);
}

// The number after `key` at the start of a line of `text`; -1 if there is none.
int64_t Counter(const std::string& text, const std::string& key) {
  size_t at = ("\n" + text).find("\n" + key + " ");
  return at == std::string::npos ? -1 : strtoll(text.c_str() + at + key.size() + 1, nullptr, 10);
}

}  // namespace

std::vector<pid_t> Descendants() {
  std::multimap<pid_t, pid_t> children;
  DIR* proc = opendir("/proc");
  if (proc == nullptr) return {};
  while (dirent* entry = readdir(proc)) {
    pid_t pid = static_cast<pid_t>(strtol(entry->d_name, nullptr, 10));
    if (pid <= 0) continue;
    std::string tail = StatTail(pid);  // "S 1 ...": state, parent
    if (tail.size() > 2)
      children.emplace(static_cast<pid_t>(strtol(tail.c_str() + 2, nullptr, 10)), pid);
  }
  closedir(proc);
  std::vector<pid_t> found;
  std::vector<pid_t> open = {getpid()};
  while (!open.empty()) {
    auto [begin, end] = children.equal_range(open.back());
    open.pop_back();
    for (; begin != end; ++begin) {
      found.push_back(begin->second);
      open.push_back(begin->second);
    }
  }
  return found;
}

void SignalDescendants(int signal) {
  for (pid_t pid : Descendants()) kill(pid, signal);
}

uint64_t StartTicks(pid_t pid) {
  std::string tail = StatTail(pid);
  const char* at = tail.c_str();
  for (int field = 3; field < 22 && at != nullptr; ++field) {
    at = strchr(at, ' ');
    if (at != nullptr) ++at;
  }
  return at == nullptr ? 0 : strtoull(at, nullptr, 10);
}

std::string BootId() {
  std::string id = ReadFile("/proc/sys/kernel/random/boot_id");
  if (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

uint64_t OomKills() {
  std::string groups = ReadFile("/proc/self/cgroup");  // "0::/path" for cgroup v2
  size_t at = groups.find("0::/");
  if (at != std::string::npos) {
    std::string path = groups.substr(at + 3, groups.find('\n', at) - at - 3);
    int64_t kills = Counter(ReadFile("/sys/fs/cgroup" + path + "/memory.events"), "oom_kill");
    if (kills >= 0) return static_cast<uint64_t>(kills);
  }
  int64_t kills = Counter(ReadFile("/proc/vmstat"), "oom_kill");
  return kills < 0 ? 0 : static_cast<uint64_t>(kills);
}

}  // namespace coxswain::shim
