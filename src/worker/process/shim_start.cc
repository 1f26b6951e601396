#include "worker/process/shim_start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "common/base/shim_protocol.h"
#include "worker/process/files.h"

namespace coxswain::worker::process {
namespace {

// In the shim: what it is given, from 3 on without holes.
constexpr int kControlFd = 3;
constexpr int kLockFd = 4;
constexpr int kLifelineFd = 5;
// Here: out of the way of the numbers above.
constexpr int kAbove = 16;

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

int OpenAbove(int fd) {
  if (fd < 0) return fd;
  int high = fcntl(fd, F_DUPFD_CLOEXEC, kAbove);
  close(fd);
  return high;
}

std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> Arguments(const ShimProgram& program) {
  std::vector<std::string> words = {program.shim,
                                    "--folder",
                                    program.folder,
                                    "--control-fd",
                                    std::to_string(kControlFd),
                                    "--log-file-bytes",
                                    std::to_string(program.log_file_bytes),
                                    "--log-files",
                                    std::to_string(program.log_files),
                                    "--grace-ms",
                                    std::to_string(program.grace.count() / 1000)};
  if (program.lifeline_fd >= 0) {
    words.insert(words.end(), {"--lifeline-fd", std::to_string(kLifelineFd)});
  }
  words.push_back("--");
  words.insert(words.end(), program.program.begin(), program.program.end());
  return words;
}

int Spawn(const ShimProgram& program, int control, int lock, int log, pid_t* pid) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, log, 1);
  posix_spawn_file_actions_adddup2(&actions, log, 2);
  posix_spawn_file_actions_adddup2(&actions, control, kControlFd);
  posix_spawn_file_actions_adddup2(&actions, lock, kLockFd);
  bool lifeline = program.lifeline_fd >= 0;
  Fd high(lifeline ? fcntl(program.lifeline_fd, F_DUPFD_CLOEXEC, kAbove) : -1);
  if (lifeline) posix_spawn_file_actions_adddup2(&actions, high.get(), kLifelineFd);
  posix_spawn_file_actions_addclosefrom_np(&actions, lifeline ? kLifelineFd + 1 : kLifelineFd);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<std::string> words = Arguments(program);
  int error = posix_spawn(pid, program.shim.c_str(), &actions, &attributes, Pointers(words).data(),
                          Pointers(program.environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return error;
}

}  // namespace

absl::StatusOr<StartedShim> StartShim(const ShimProgram& program) {
  std::string lock_path = absl::StrCat(program.folder, "/", base::kShimLockFile);
  Fd lock(OpenAbove(open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)));
  if (lock.get() < 0) return ErrnoStatus(errno, lock_path);
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::AlreadyExistsError(absl::StrCat(program.folder, ": a shim runs here already"));
  }
  std::string log_path = absl::StrCat(program.folder, "/shim.log");
  Fd log(OpenAbove(open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)));
  if (log.get() < 0) return ErrnoStatus(errno, log_path);
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    return ErrnoStatus(errno, "socketpair");
  }
  Fd ours(OpenAbove(pair[0])), theirs(OpenAbove(pair[1]));
  StartedShim started;
  int error = Spawn(program, theirs.get(), lock.get(), log.get(), &started.pid);
  if (error != 0) return ErrnoStatus(error, program.shim);
  fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  started.control_fd = ours.release();
  return started;
}

absl::StatusOr<int> ConnectToShim(const std::string& folder) {
  Fd place(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (place.get() < 0) return ErrnoStatus(errno, folder);
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return ErrnoStatus(errno, "socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // Short, however long the folder's path is.
  std::string path = absl::StrCat("/proc/self/fd/", place.get(), "/", base::kShimSocketFile);
  strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return ErrnoStatus(errno, absl::StrCat(folder, "/", base::kShimSocketFile));
  }
  return fd.release();
}

}  // namespace coxswain::worker::process
