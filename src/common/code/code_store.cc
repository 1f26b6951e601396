#include "common/code/code_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/base/byte_text.h"
#include "common/code/archive.h"
#include "common/code/code_id.h"

namespace coxswain::code {
namespace {

namespace fs = std::filesystem;

constexpr char kWhole[] = ".tar.zst";
constexpr char kPart[] = ".part";

absl::Status DiskError(const std::string& path, int error) {
  const std::string text = absl::StrCat("cannot write ", path, ": ", std::strerror(error));
  return error == ENOSPC || error == EDQUOT ? absl::ResourceExhaustedError(text)
                                            : absl::UnavailableError(text);
}

absl::Status NotHere(const std::string& id) {
  return absl::NotFoundError(absl::StrCat("there is no code ", id));
}

// 0: there is no such file.
uint64_t SizeOf(const std::string& path) {
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  return error ? 0 : size;
}

void MarkUsed(const std::string& path) { utimensat(AT_FDCWD, path.c_str(), nullptr, 0); }

bool SyncFolder(const std::string& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  return synced;
}

std::string HexOf(const std::string& id) { return id.substr(kIdPrefix.size()); }

}  // namespace

std::string CodeStore::FileOf(const std::string& id) const {
  return absl::StrCat(folder_, "/", HexOf(id), kWhole);
}
std::string CodeStore::PartOf(const std::string& id) const {
  return absl::StrCat(folder_, "/", HexOf(id), kPart);
}

bool CodeStore::Has(const std::string& id) const {
  return !folder_.empty() && IsCodeId(id) && SizeOf(FileOf(id)) > 0;
}

absl::StatusOr<std::string> CodeStore::PathOf(const std::string& id) const {
  if (!Has(id)) return NotHere(id);
  MarkUsed(FileOf(id));
  return FileOf(id);
}

absl::StatusOr<uint64_t> CodeStore::Add(const std::string& id, uint64_t total_bytes,
                                        uint64_t offset, std::string_view data) {
  if (folder_.empty()) return absl::FailedPreconditionError("no code is kept here");
  if (!IsCodeId(id)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "found '", id, "', expected sha256: and the 64 digits of the archive's SHA-256"));
  }
  if (total_bytes == 0 || total_bytes > kMostArchiveBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("an archive of ", total_bytes, " bytes: expected 1 to ", kMostArchiveBytes));
  }
  std::lock_guard lock(mutex_);
  if (const uint64_t whole = SizeOf(FileOf(id)); whole > 0) {
    MarkUsed(FileOf(id));
    return total_bytes;
  }
  const uint64_t there = SizeOf(PartOf(id));
  if (data.empty() || offset != there) return there;
  if (data.size() > total_bytes - std::min(total_bytes, there)) {
    return absl::InvalidArgumentError(
        absl::StrCat("byte ", there + data.size(), " of an archive of ", total_bytes));
  }
  if (absl::Status written = Append(PartOf(id), data); !written.ok()) return written;
  if (there + data.size() < total_bytes) return there + data.size();
  if (absl::Status finished = Finish(id); !finished.ok()) return finished;
  return total_bytes;
}

absl::Status CodeStore::Append(const std::string& part, std::string_view data) {
  std::error_code error;
  fs::create_directories(folder_, error);
  const uint64_t before = SizeOf(part);
  const int fd = open(part.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return DiskError(part, errno);
  int failed = 0;
  while (!data.empty() && failed == 0) {
    const ssize_t put = write(fd, data.data(), data.size());
    if (put >= 0) data.remove_prefix(static_cast<size_t>(put));
    if (put < 0 && errno != EINTR) failed = errno;
  }
  // What has been written of a part that failed would be followed by the same bytes again.
  if (failed != 0 && ftruncate(fd, static_cast<off_t>(before)) != 0) unlink(part.c_str());
  if (failed == 0 && fsync(fd) != 0) failed = errno;
  close(fd);
  return failed == 0 ? absl::OkStatus() : DiskError(part, failed);
}

absl::Status CodeStore::Finish(const std::string& id) {
  std::ifstream in(PartOf(id), std::ios::binary);
  std::stringstream bytes;
  bytes << in.rdbuf();
  const std::string archive = std::move(bytes).str();
  absl::Status checked = CheckArchive(archive);
  if (const std::string is = CodeIdOf(archive); is != id) {
    checked =
        absl::InvalidArgumentError(absl::StrCat("the bytes that came are ", is, ", not ", id));
  }
  if (!checked.ok()) {
    unlink(PartOf(id).c_str());
    return checked;
  }
  if (rename(PartOf(id).c_str(), FileOf(id).c_str()) != 0 || !SyncFolder(folder_)) {
    return DiskError(FileOf(id), errno);
  }
  return absl::OkStatus();
}

absl::StatusOr<CodePart> CodeStore::Read(const std::string& id, uint64_t offset,
                                         size_t most) const {
  absl::StatusOr<std::string> path = PathOf(id);
  if (!path.ok()) return path.status();
  CodePart part;
  part.total_bytes = SizeOf(*path);
  if (offset > part.total_bytes) {
    return absl::OutOfRangeError(
        absl::StrCat("byte ", offset, " of an archive of ", part.total_bytes));
  }
  std::ifstream in(*path, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(offset));
  part.data.resize(std::min<uint64_t>(most, part.total_bytes - offset));
  if (in.read(part.data.data(), static_cast<std::streamsize>(part.data.size()))) return part;
  return absl::UnavailableError(absl::StrCat("cannot read ", *path));
}

std::vector<std::string> CodeStore::RemoveUnused(const std::set<std::string>& keep,
                                                 base::Duration unused) {
  if (folder_.empty()) return {};
  std::lock_guard lock(mutex_);
  std::vector<std::string> removed;
  std::error_code error;
  const auto before = fs::file_time_type::clock::now() - unused;
  for (const auto& file : fs::directory_iterator(folder_, error)) {
    const fs::path name = file.path().filename();
    const bool whole = name.string().ends_with(kWhole);
    if (!whole && !name.string().ends_with(kPart)) continue;
    const std::string hex = name.string().substr(0, name.string().find('.'));
    const std::string id = std::string(kIdPrefix) + hex;
    const auto used = fs::last_write_time(file.path(), error);
    if (error || used > before || (whole && keep.contains(id))) continue;
    if (fs::remove(file.path(), error) && whole) removed.push_back(id);
  }
  return removed;
}

}  // namespace coxswain::code
