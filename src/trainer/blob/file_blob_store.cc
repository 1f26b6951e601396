#include "trainer/blob/file_blob_store.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <random>

#include "trainer/blob/blob_names.h"
#include "trainer/blob/file_errors.h"
#include "trainer/blob/text.h"

namespace coxswain::trainer::blob {
namespace {

constexpr char kTemporary[] = ".tmp";

std::string FolderOf(const std::string& path) {
  size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string TemporaryBeside(const std::string& path) {
  std::random_device random;
  char text[20];
  snprintf(text, sizeof text, ".%08x%08x", random(), random());
  size_t slash = path.rfind('/');
  return Cat(path.substr(0, slash), "/.", path.substr(slash + 1), text, kTemporary);
}

bool IsTemporary(std::string_view name) {
  return name.starts_with('.') && name.ends_with(kTemporary);
}

}  // namespace

class FileBlobStore::Writer final : public BlobWriter {
 public:
  Writer(FileBlobStore& store, std::string path)
      : store_(store), path_(std::move(path)), temporary_(TemporaryBeside(path_)) {}
  ~Writer() override {
    if (fd_ >= 0) store_.files_.Close(fd_);
    if (exists_) store_.files_.Unlink(temporary_);
  }

  absl::Status Open() {
    std::string folder = FolderOf(path_);
    for (bool fresh : {false, true}) {  // the folder may have been removed since it was made
      if (absl::Status status = store_.EnsureFolder(folder, fresh); !status.ok()) return status;
      fd_ = store_.files_.CreateFile(temporary_);
      if (fd_ != -ENOENT) break;
    }
    if (fd_ < 0) return FileError("create a file in", folder, -fd_);
    exists_ = true;
    return absl::OkStatus();
  }

  absl::Status Write(std::string_view bytes) override {
    while (!bytes.empty()) {
      if (store_.patience_ && store_.patience_->cancelled()) {
        return absl::CancelledError(Cat("writing ", path_, " was cancelled"));
      }
      std::string_view part = bytes.substr(0, 16 << 20);
      int64_t written = store_.files_.Write(fd_, part.data(), part.size());
      if (written < 0) return FileError("write", path_, static_cast<int>(-written));
      bytes.remove_prefix(written);
    }
    return absl::OkStatus();
  }

  absl::Status Commit() override { return Finish(true); }

  absl::Status Finish(bool replace) {
    if (int result = store_.files_.Sync(fd_); result < 0) {
      return FileError("sync", path_, -result);
    }
    store_.files_.Close(fd_);
    fd_ = -1;
    int result = replace ? store_.files_.Rename(temporary_, path_)
                         : store_.files_.RenameNoReplace(temporary_, path_);
    if (result < 0) return FileError("create", path_, -result);
    exists_ = false;
    return store_.SyncFolder(FolderOf(path_));
  }

 private:
  FileBlobStore& store_;
  const std::string path_, temporary_;
  int fd_ = -1;
  bool exists_ = false;
};

FileBlobStore::FileBlobStore(std::string folder, FileOps& files, std::shared_ptr<Patience> patience)
    : folder_(folder == "/" ? "" : std::move(folder)),
      uri_(Cat("file://", folder_.empty() ? "/" : folder_)),
      files_(files),
      patience_(std::move(patience)) {}

std::string FileBlobStore::PathOf(std::string_view name) const {
  return name.empty() ? folder_ : Cat(folder_, "/", name);
}

absl::Status FileBlobStore::Put(std::string_view name, std::string_view bytes) {
  absl::StatusOr<std::unique_ptr<BlobWriter>> writer = Create(name);
  if (!writer.ok()) return writer.status();
  if (absl::Status status = (*writer)->Write(bytes); !status.ok()) return status;
  return (*writer)->Commit();
}

absl::Status FileBlobStore::PutIfAbsent(std::string_view name, std::string_view bytes) {
  if (absl::Status status = CheckNewName(name); !status.ok()) return status;
  Writer writer(*this, PathOf(name));
  if (absl::Status status = writer.Open(); !status.ok()) return status;
  if (absl::Status status = writer.Write(bytes); !status.ok()) return status;
  return writer.Finish(false);
}

absl::StatusOr<std::unique_ptr<BlobWriter>> FileBlobStore::Create(std::string_view name) {
  if (absl::Status status = CheckNewName(name); !status.ok()) return status;
  auto writer = std::make_unique<Writer>(*this, PathOf(name));
  if (absl::Status status = writer->Open(); !status.ok()) return status;
  return writer;
}

absl::StatusOr<std::string> FileBlobStore::Get(std::string_view name) {
  absl::StatusOr<uint64_t> size = Size(name);
  if (!size.ok()) return size.status();
  std::string bytes(*size, '\0');
  if (absl::Status status = Read(name, 0, bytes.data(), *size); !status.ok()) return status;
  return bytes;
}

absl::Status FileBlobStore::GetRange(std::string_view name, uint64_t offset, char* to,
                                     uint64_t bytes) {
  if (absl::Status status = CheckName(name); !status.ok()) return status;
  return Read(name, offset, to, bytes);
}

absl::Status FileBlobStore::Read(std::string_view name, uint64_t offset, char* to, uint64_t bytes) {
  std::string path = PathOf(name);
  int fd = files_.OpenForRead(path);
  if (fd < 0) return FileError("open", path, -fd);
  absl::Status status;
  for (uint64_t done = 0; done < bytes && status.ok();) {
    int64_t got = files_.ReadAt(fd, to + done, bytes - done, offset + done);
    if (got < 0) status = FileError("read", path, static_cast<int>(-got));
    if (got == 0) {
      status = absl::OutOfRangeError(
          Cat(path, " ends at byte ", offset + done, ", expected at least ", offset + bytes));
    }
    done += got > 0 ? got : 0;
  }
  files_.Close(fd);
  return status;
}

absl::StatusOr<uint64_t> FileBlobStore::Size(std::string_view name) {
  if (absl::Status status = CheckName(name); !status.ok()) return status;
  std::string path = PathOf(name);
  int fd = files_.OpenForRead(path);
  if (fd < 0) return FileError("open", path, -fd);
  int64_t size = files_.Size(fd);
  files_.Close(fd);
  if (size < 0) return FileError("read", path, static_cast<int>(-size));
  return static_cast<uint64_t>(size);
}

absl::Status FileBlobStore::WalkFolder(const std::string& name, Walk* walk) {
  std::vector<FileEntry> entries;
  int result = files_.ReadFolder(PathOf(name), &entries);
  if (result == -ENOENT) return absl::OkStatus();
  if (result < 0) return FileError("list", PathOf(name), -result);
  for (const FileEntry& entry : entries) {
    std::string inner = name.empty() ? entry.name : Cat(name, "/", entry.name);
    if (entry.folder) {
      if (absl::Status status = WalkFolder(inner, walk); !status.ok()) return status;
    } else if (IsTemporary(entry.name)) {
      walk->leftovers.push_back(std::move(inner));
    } else {
      absl::StatusOr<uint64_t> size = Size(inner);
      if (absl::IsNotFound(size.status())) continue;
      if (!size.ok()) return size.status();
      walk->objects.push_back({std::move(inner), *size});
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<BlobInfo>> FileBlobStore::List(std::string_view prefix) {
  if (absl::Status status = CheckPrefix(prefix); !status.ok()) return status;
  Walk walk;
  if (absl::Status status = WalkFolder(std::string(prefix), &walk); !status.ok()) return status;
  std::sort(walk.objects.begin(), walk.objects.end(),
            [](const BlobInfo& a, const BlobInfo& b) { return a.name < b.name; });
  return std::move(walk.objects);
}

absl::Status FileBlobStore::Delete(std::string_view name) {
  if (absl::Status status = CheckName(name); !status.ok()) return status;
  return Remove(name);
}

absl::Status FileBlobStore::Remove(std::string_view name) {
  std::string path = PathOf(name);
  int result = files_.Unlink(path);
  if (result < 0 && result != -ENOENT && result != -ENOTDIR)
    return FileError("delete", path, -result);
  std::string folder = FolderOf(path);
  {
    std::lock_guard lock(mutex_);
    durable_folders_.clear();
  }
  while (folder.size() > folder_.size()) {
    result = files_.RemoveFolder(folder);
    if (result < 0 && result != -ENOENT) break;  // not empty, or not ours to remove
    folder = FolderOf(folder);
  }
  absl::Status status = SyncFolder(folder);
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::StatusOr<uint64_t> FileBlobStore::AbortUploads(std::string_view prefix) {
  if (absl::Status status = CheckPrefix(prefix); !status.ok()) return status;
  Walk walk;
  if (absl::Status status = WalkFolder(std::string(prefix), &walk); !status.ok()) return status;
  for (const std::string& name : walk.leftovers) {
    if (absl::Status status = Remove(name); !status.ok()) return status;
  }
  return walk.leftovers.size();
}

absl::Status FileBlobStore::EnsureFolder(const std::string& folder, bool fresh) {
  std::lock_guard lock(mutex_);
  if (fresh) durable_folders_.clear();
  if (folder == "/" || durable_folders_.count(folder)) return absl::OkStatus();
  for (size_t slash = folder.find('/', 1);; slash = folder.find('/', slash + 1)) {
    std::string path = folder.substr(0, slash);
    if (!durable_folders_.count(path)) {
      int result = files_.MakeFolder(path);
      if (result < 0 && result != -EEXIST) return FileError("create the folder", path, -result);
      // One that was there may have been made a moment ago by another rank and not be durable yet.
      absl::Status status = SyncFolder(FolderOf(path));
      bool made_before = result == -EEXIST;
      if (!status.ok() && !(made_before && absl::IsPermissionDenied(status))) return status;
      durable_folders_.insert(path);
    }
    if (slash == folder.npos) return absl::OkStatus();
  }
}

absl::Status FileBlobStore::SyncFolder(const std::string& folder) {
  int fd = files_.OpenForRead(folder);
  if (fd < 0) return FileError("open the folder", folder, -fd);
  int result = files_.Sync(fd);
  files_.Close(fd);
  // Some network file systems cannot sync a folder: their entries are durable at once.
  if (result < 0 && result != -EINVAL && result != -EROFS) {
    return FileError("sync the folder", folder, -result);
  }
  return absl::OkStatus();
}

}  // namespace coxswain::trainer::blob
