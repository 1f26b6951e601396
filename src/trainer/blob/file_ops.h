// The few system calls that the file:// store makes, so that a test can put a disk that loses power
// behind it. Every call returns 0 or more, or -errno. Threads: any.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace coxswain::trainer::blob {

struct FileEntry {
  std::string name;
  bool folder = false;
};

class FileOps {
 public:
  virtual ~FileOps() = default;
  virtual int CreateFile(const std::string& path) = 0;  // new, for writing; a descriptor
  virtual int OpenForRead(
      const std::string& path) = 0;  // a file or (for Sync) a folder; a descriptor
  virtual int64_t Write(int fd, const char* from, uint64_t bytes) = 0;            // may be short
  virtual int64_t ReadAt(int fd, char* to, uint64_t bytes, uint64_t offset) = 0;  // 0: end
  virtual int64_t Size(int fd) = 0;  // -EISDIR for a folder
  virtual int Sync(int fd) = 0;      // data and size, or a folder's entries
  virtual void Close(int fd) = 0;
  virtual int Rename(const std::string& from, const std::string& to) = 0;
  virtual int RenameNoReplace(const std::string& from, const std::string& to) = 0;  // -EEXIST
  virtual int Unlink(const std::string& path) = 0;
  virtual int MakeFolder(const std::string& path) = 0;
  virtual int RemoveFolder(const std::string& path) = 0;
  virtual int ReadFolder(const std::string& path, std::vector<FileEntry>* entries) = 0;
};

// The real ones. New files have mode 0600 and folders 0700, less the umask. Lives for ever.
FileOps& PosixFiles();

}  // namespace coxswain::trainer::blob
