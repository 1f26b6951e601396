#include <archive.h>
#include <archive_entry.h>

#include <cstring>
#include <filesystem>
#include <functional>

#include "absl/strings/str_cat.h"
#include "common/base/byte_text.h"
#include "common/code/archive.h"
#include "common/code/archive_limits.h"

namespace coxswain::code {
namespace {

namespace fs = std::filesystem;

constexpr char kBegin[] = "the code's archive ";

absl::Status Wrong(const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat(kBegin, why));
}

absl::Status CheckEntry(struct archive_entry* entry) {
  const char* name = archive_entry_pathname(entry);
  const std::string path = name == nullptr ? "" : name;
  if (!StaysInside(path)) {
    return Wrong(absl::StrCat("has the path '", path, "', expected one below the directory"));
  }
  if (archive_entry_hardlink(entry) != nullptr) {
    return Wrong(absl::StrCat("has ", path, " as a hard link, expected a file"));
  }
  const auto type = archive_entry_filetype(entry);
  if (type == AE_IFLNK) {
    const char* target = archive_entry_symlink(entry);
    const std::string to = target == nullptr ? "" : target;
    if (LinkStaysInside(path, to)) return absl::OkStatus();
    return Wrong(absl::StrCat("has ", path, " as a link to '", to, "', which leads out of it"));
  }
  if (type == AE_IFREG || type == AE_IFDIR) return absl::OkStatus();
  return Wrong(absl::StrCat("has ", path, ", which is no file, directory or link"));
}

using TakeEntry = std::function<absl::Status(struct archive_entry*)>;
using TakeData = std::function<absl::Status(const void* data, size_t bytes, int64_t offset)>;

absl::Status TooMuch() {
  return Wrong(absl::StrCat("holds more than ", base::BytesText(kMostUnpackedBytes), " in ",
                            kMostEntries, " files, which is the limit"));
}

absl::Status ReadData(struct archive* in, uint64_t* left, const TakeData& take) {
  const void* data = nullptr;
  size_t bytes = 0;
  la_int64_t offset = 0;
  while (true) {
    const int read = archive_read_data_block(in, &data, &bytes, &offset);
    if (read == ARCHIVE_EOF) return absl::OkStatus();
    if (read < ARCHIVE_WARN) return Wrong("is damaged: " + WhyFailed(in));
    if (bytes > *left) return TooMuch();
    *left -= bytes;
    if (absl::Status taken = take(data, bytes, offset); !taken.ok()) return taken;
  }
}

absl::Status ReadArchive(std::string_view archive, const TakeEntry& take_entry,
                         const TakeData& take_data) {
  Reading in(archive_read_new(), &archive_read_free);
  archive_read_support_format_tar(in.get());
  archive_read_support_filter_zstd(in.get());
  archive_read_support_filter_gzip(in.get());
  archive_read_support_filter_xz(in.get());
  if (archive_read_open_memory(in.get(), archive.data(), archive.size()) != ARCHIVE_OK) {
    return Wrong("cannot be read: " + WhyFailed(in.get()));
  }
  uint64_t left = kMostUnpackedBytes;
  for (size_t entries = 0;; ++entries) {
    struct archive_entry* entry = nullptr;
    const int read = archive_read_next_header(in.get(), &entry);
    if (read == ARCHIVE_EOF) return entries > 0 ? absl::OkStatus() : Wrong("is empty");
    if (read < ARCHIVE_WARN) return Wrong("cannot be read: " + WhyFailed(in.get()));
    if (entries == kMostEntries) return TooMuch();
    absl::Status status = CheckEntry(entry);
    if (status.ok()) status = take_entry(entry);
    if (status.ok()) status = ReadData(in.get(), &left, take_data);
    if (!status.ok()) return status;
  }
}

absl::Status CannotWrite(const std::string& directory, const std::string& why) {
  return absl::UnavailableError(absl::StrCat("cannot unpack to ", directory, ": ", why));
}

}  // namespace

absl::Status CheckArchive(std::string_view archive) {
  return ReadArchive(
      archive, [](struct archive_entry*) { return absl::OkStatus(); },
      [](const void*, size_t, int64_t) { return absl::OkStatus(); });
}

absl::Status Unpack(std::string_view archive, const std::string& directory) {
  std::error_code error;
  fs::remove_all(directory, error);
  if (!error) fs::create_directories(directory, error);
  // Without links of its own: libarchive refuses to write through any.
  const fs::path root = error ? fs::path() : fs::canonical(directory, error);
  if (error) return CannotWrite(directory, error.message());
  Writing out(archive_write_disk_new(), &archive_write_free);
  archive_write_disk_set_options(out.get(), ARCHIVE_EXTRACT_SECURE_SYMLINKS |
                                                ARCHIVE_EXTRACT_SECURE_NODOTDOT |
                                                ARCHIVE_EXTRACT_PERM);
  auto begin = [&](struct archive_entry* entry) {
    const std::string path = (root / archive_entry_pathname(entry)).string();
    archive_entry_set_pathname(entry, path.c_str());
    // Readable and writable for whom it belongs to, whatever the archive says: it is removed later.
    const auto mode = archive_entry_perm(entry);
    archive_entry_set_perm(entry, (mode & 0777) | (mode & 0111 ? 0700 : 0600));
    if (archive_entry_filetype(entry) == AE_IFDIR) archive_entry_set_perm(entry, 0755);
    const int written = archive_write_header(out.get(), entry);
    return written >= ARCHIVE_WARN ? absl::OkStatus()
                                   : CannotWrite(directory, WhyFailed(out.get()));
  };
  auto data = [&](const void* from, size_t bytes, int64_t offset) {
    return archive_write_data_block(out.get(), from, bytes, offset) >= ARCHIVE_WARN
               ? absl::OkStatus()
               : CannotWrite(directory, WhyFailed(out.get()));
  };
  if (absl::Status read = ReadArchive(archive, begin, data); !read.ok()) return read;
  return archive_write_close(out.get()) == ARCHIVE_OK
             ? absl::OkStatus()
             : CannotWrite(directory, WhyFailed(out.get()));
}

}  // namespace coxswain::code
