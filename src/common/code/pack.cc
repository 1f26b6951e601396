#include <archive.h>
#include <archive_entry.h>
#include <fnmatch.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/byte_text.h"
#include "common/code/archive.h"
#include "common/code/archive_limits.h"

namespace coxswain::code {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 2> kNeverPacked = {".git", "__pycache__"};
constexpr size_t kNamed = 3;  // of the largest files, in a message
constexpr int kExecutable = 0111;

// One line of .coxignore.
struct Pattern {
  std::string text;
  bool of_path = false;       // it has a '/': it is held against the path
  bool only_folders = false;  // it ended with one
};

struct Entry {
  std::string path;  // below the directory
  fs::path from;
  fs::file_type type = fs::file_type::none;
  uint64_t bytes = 0;
  bool executable = false;
};

absl::Status Wrong(const fs::path& path, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat(path.string(), ": ", why));
}

absl::Status CannotRead(const fs::path& path, int error) {
  const std::string text = absl::StrCat("cannot read ", path.string(), ": ", std::strerror(error));
  return error == EACCES || error == EPERM ? absl::PermissionDeniedError(text)
                                           : absl::UnavailableError(text);
}

class Packer {
 public:
  explicit Packer(fs::path root) : root_(std::move(root)) {}

  absl::StatusOr<Packed> Run() {
    if (absl::Status read = ReadPatterns(); !read.ok()) return read;
    if (absl::Status found = Find(root_, ""); !found.ok()) return found;
    std::sort(entries_.begin(), entries_.end(),
              [](const Entry& a, const Entry& b) { return a.path < b.path; });
    if (absl::Status checked = CheckSize(); !checked.ok()) return checked;
    return Write();
  }

 private:
  absl::Status ReadPatterns() {
    const fs::path file = root_ / kIgnoreFile;
    std::error_code error;
    if (!fs::exists(file, error)) return absl::OkStatus();
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
      absl::StripAsciiWhitespace(&line);
      if (line.empty() || line.front() == '#') continue;
      Pattern pattern;
      pattern.only_folders = line.ends_with('/');
      if (pattern.only_folders) line.pop_back();
      pattern.of_path = line.find('/') != line.npos;
      pattern.text = line.starts_with('/') ? line.substr(1) : line;
      patterns_.push_back(std::move(pattern));
    }
    return in.eof() ? absl::OkStatus() : CannotRead(file, errno);
  }

  bool LeftOut(const std::string& path, const std::string& name, bool folder) const {
    if (std::find(kNeverPacked.begin(), kNeverPacked.end(), name) != kNeverPacked.end()) {
      return true;
    }
    return std::any_of(patterns_.begin(), patterns_.end(), [&](const Pattern& each) {
      if (each.only_folders && !folder) return false;
      const std::string& against = each.of_path ? path : name;
      return fnmatch(each.text.c_str(), against.c_str(), each.of_path ? FNM_PATHNAME : 0) == 0;
    });
  }

  absl::Status Find(const fs::path& folder, const std::string& above) {
    std::error_code error;
    fs::directory_iterator listed(folder, error);
    if (error) return CannotRead(folder, error.value());
    for (; listed != fs::directory_iterator(); listed.increment(error)) {
      Entry entry;
      entry.from = listed->path();
      const std::string name = entry.from.filename().string();
      entry.path = above.empty() ? name : absl::StrCat(above, "/", name);
      entry.type = listed->symlink_status(error).type();
      if (error) return CannotRead(entry.from, error.value());
      const bool is_folder = entry.type == fs::file_type::directory;
      if (LeftOut(entry.path, name, is_folder)) continue;
      if (absl::Status added = Add(entry); !added.ok()) return added;
      if (!is_folder) continue;
      if (absl::Status below = Find(entry.from, entry.path); !below.ok()) return below;
    }
    return error ? CannotRead(folder, error.value()) : absl::OkStatus();
  }

  absl::Status Add(Entry entry) {
    if (entries_.size() == kMostEntries) {
      return absl::ResourceExhaustedError(
          absl::StrCat(root_.string(), " has more than ", kMostEntries,
                       " files and folders: leave some out with ", kIgnoreFile));
    }
    if (entry.type == fs::file_type::regular) {
      struct stat state;
      if (stat(entry.from.c_str(), &state) != 0) return CannotRead(entry.from, errno);
      entry.bytes = static_cast<uint64_t>(state.st_size);
      entry.executable = (state.st_mode & kExecutable) != 0;
      ++files_;
      bytes_ += entry.bytes;
    } else if (entry.type == fs::file_type::symlink) {
      std::error_code error;
      const std::string target = fs::read_symlink(entry.from, error).string();
      if (error) return CannotRead(entry.from, error.value());
      if (!LinkStaysInside(entry.path, target)) {
        return Wrong(entry.from,
                     absl::StrCat("is a link to ", target, ", which is not in ", root_.string(),
                                  ": copy it, or leave it out with ", kIgnoreFile));
      }
    } else if (entry.type != fs::file_type::directory) {
      return Wrong(entry.from,
                   absl::StrCat("is no file, folder or link: leave it out with ", kIgnoreFile));
    }
    entries_.push_back(std::move(entry));
    return absl::OkStatus();
  }

  std::string Largest() const {
    std::vector<const Entry*> by_size;
    for (const Entry& entry : entries_) by_size.push_back(&entry);
    const size_t named = std::min(kNamed, by_size.size());
    std::partial_sort(by_size.begin(), by_size.begin() + static_cast<ptrdiff_t>(named),
                      by_size.end(),
                      [](const Entry* a, const Entry* b) { return a->bytes > b->bytes; });
    by_size.resize(named);
    return absl::StrJoin(by_size, ", ", [](std::string* out, const Entry* entry) {
      absl::StrAppend(out, entry->path, " (", base::BytesText(entry->bytes), ")");
    });
  }

  absl::Status TooLarge(const std::string& found, uint64_t most) const {
    return absl::ResourceExhaustedError(
        absl::StrCat(root_.string(), " has ", found, ", at most ", base::BytesText(most),
                     " are taken; the largest are ", Largest(), ": leave out with ", kIgnoreFile,
                     " what is no code, and read data from where the job file says"));
  }

  absl::Status CheckSize() const {
    if (files_ == 0) return Wrong(root_, "has no files to pack");
    if (bytes_ <= kMostUnpackedBytes) return absl::OkStatus();
    return TooLarge(base::BytesText(bytes_), kMostUnpackedBytes);
  }

  absl::StatusOr<Packed> Write() {
    Writing out(archive_write_new(), &archive_write_free);
    archive_write_set_format_pax_restricted(out.get());
    archive_write_add_filter_zstd(out.get());
    archive_write_set_bytes_in_last_block(out.get(), 1);
    if (archive_write_open(out.get(), &packed_.archive, nullptr, &Packer::Take, nullptr) !=
        ARCHIVE_OK) {
      return absl::InternalError(WhyFailed(out.get()));
    }
    for (const Entry& entry : entries_) {
      if (absl::Status written = WriteEntry(out.get(), entry); !written.ok()) return written;
    }
    if (archive_write_close(out.get()) != ARCHIVE_OK) {
      return absl::InternalError(WhyFailed(out.get()));
    }
    if (packed_.archive.size() > kMostArchiveBytes) {
      return TooLarge(absl::StrCat(base::BytesText(packed_.archive.size()), " when packed"),
                      kMostArchiveBytes);
    }
    packed_.files = files_;
    packed_.bytes = bytes_;
    return std::move(packed_);
  }

  static la_ssize_t Take(struct archive*, void* to, const void* data, size_t bytes) {
    static_cast<std::string*>(to)->append(static_cast<const char*>(data), bytes);
    return static_cast<la_ssize_t>(bytes);
  }

  absl::Status WriteEntry(struct archive* out, const Entry& from) {
    std::unique_ptr<archive_entry, decltype(&archive_entry_free)> entry(archive_entry_new(),
                                                                        &archive_entry_free);
    archive_entry_set_pathname(entry.get(), from.path.c_str());
    const bool is_file = from.type == fs::file_type::regular;
    if (is_file) {
      archive_entry_set_filetype(entry.get(), AE_IFREG);
      archive_entry_set_size(entry.get(), static_cast<la_int64_t>(from.bytes));
    } else if (from.type == fs::file_type::symlink) {
      std::error_code error;
      archive_entry_set_filetype(entry.get(), AE_IFLNK);
      archive_entry_set_symlink(entry.get(), fs::read_symlink(from.from, error).c_str());
    } else {
      archive_entry_set_filetype(entry.get(), AE_IFDIR);
    }
    archive_entry_set_perm(entry.get(), is_file && !from.executable ? 0644 : 0755);
    archive_entry_set_mtime(entry.get(), 0, 0);
    if (archive_write_header(out, entry.get()) < ARCHIVE_WARN) {
      return Wrong(from.from, WhyFailed(out));
    }
    return is_file ? WriteData(out, from) : absl::OkStatus();
  }

  absl::Status WriteData(struct archive* out, const Entry& from) {
    std::ifstream in(from.from, std::ios::binary);
    if (!in) return CannotRead(from.from, errno);
    std::array<char, 64 << 10> piece;
    uint64_t written = 0;
    while (in.read(piece.data(), piece.size()) || in.gcount() > 0) {
      const auto got = static_cast<size_t>(in.gcount());
      if (archive_write_data(out, piece.data(), got) < 0) {
        return absl::InternalError(WhyFailed(out));
      }
      written += got;
    }
    if (written == from.bytes && !in.bad()) return absl::OkStatus();
    return absl::UnavailableError(absl::StrCat(
        from.from.string(), " has changed while it was packed: it had ", from.bytes, " bytes"));
  }

  const fs::path root_;
  std::vector<Pattern> patterns_;
  std::vector<Entry> entries_;
  size_t files_ = 0;
  uint64_t bytes_ = 0;
  Packed packed_;
};

}  // namespace

bool StaysInside(std::string_view path) {
  const fs::path parts{std::string(path)};
  return !path.empty() && parts.is_relative() &&
         std::none_of(parts.begin(), parts.end(),
                      [](const fs::path& part) { return part == ".."; });
}

bool LinkStaysInside(std::string_view path, std::string_view target) {
  const fs::path to{std::string(target)};
  if (target.empty() || to.is_absolute()) return false;
  const fs::path seen = (fs::path(std::string(path)).parent_path() / to).lexically_normal();
  return seen.empty() || *seen.begin() != "..";
}

absl::StatusOr<Packed> Pack(const std::string& directory) {
  std::error_code error;
  const fs::file_status status = fs::status(directory, error);
  if (status.type() == fs::file_type::not_found) {
    return absl::NotFoundError(absl::StrCat("there is no directory ", directory));
  }
  if (error) return CannotRead(directory, error.value());
  if (status.type() != fs::file_type::directory) return Wrong(directory, "is no directory");
  return Packer(directory).Run();
}

}  // namespace coxswain::code
