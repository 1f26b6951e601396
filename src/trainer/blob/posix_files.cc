#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "trainer/blob/file_ops.h"

namespace coxswain::trainer::blob {
namespace {

template <class Call>
auto Repeat(Call call) {
  while (true) {
    auto result = call();
    if (result >= 0) return result;
    if (errno != EINTR) return static_cast<decltype(result)>(-errno);
  }
}

class Posix final : public FileOps {
 public:
  int CreateFile(const std::string& path) override {
    return Repeat(
        [&] { return open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600); });
  }
  int OpenForRead(const std::string& path) override {
    return Repeat([&] { return open(path.c_str(), O_RDONLY | O_CLOEXEC); });
  }
  int64_t Write(int fd, const char* from, uint64_t bytes) override {
    return Repeat([&] { return write(fd, from, std::min<uint64_t>(bytes, 1 << 30)); });
  }
  int64_t ReadAt(int fd, char* to, uint64_t bytes, uint64_t offset) override {
    return Repeat([&] {
      return pread(fd, to, std::min<uint64_t>(bytes, 1 << 30), static_cast<off_t>(offset));
    });
  }
  int64_t Size(int fd) override {
    struct stat info;
    if (fstat(fd, &info) != 0) return -errno;
    return S_ISDIR(info.st_mode) ? -EISDIR : static_cast<int64_t>(info.st_size);
  }
  int Sync(int fd) override {
    return Repeat([&] { return fsync(fd); });
  }
  void Close(int fd) override { close(fd); }
  int Rename(const std::string& from, const std::string& to) override {
    return rename(from.c_str(), to.c_str()) == 0 ? 0 : -errno;
  }
  int RenameNoReplace(const std::string& from, const std::string& to) override {
    if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return -errno;
    // File systems without it (NFS): a link never replaces either.
    if (link(from.c_str(), to.c_str()) != 0) return -errno;
    unlink(from.c_str());
    return 0;
  }
  int Unlink(const std::string& path) override { return unlink(path.c_str()) == 0 ? 0 : -errno; }
  int MakeFolder(const std::string& path) override {
    return mkdir(path.c_str(), 0700) == 0 ? 0 : -errno;
  }
  int RemoveFolder(const std::string& path) override {
    return rmdir(path.c_str()) == 0 ? 0 : -errno;
  }
  int ReadFolder(const std::string& path, std::vector<FileEntry>* entries) override {
    DIR* folder = opendir(path.c_str());
    if (!folder) return -errno;
    while (dirent* entry = readdir(folder)) {
      if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
      struct stat info;
      if (fstatat(dirfd(folder), entry->d_name, &info, 0) != 0) continue;  // gone meanwhile
      entries->push_back({entry->d_name, S_ISDIR(info.st_mode)});
    }
    closedir(folder);
    return 0;
  }
};

}  // namespace

FileOps& PosixFiles() {
  static Posix posix;
  return posix;
}

}  // namespace coxswain::trainer::blob
