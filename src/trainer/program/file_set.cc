#include "trainer/program/file_set.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "trainer/blob/text.h"

namespace coxswain::trainer::program {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr size_t kMostFiles = 1'000'000;
constexpr uint32_t kModes = 0777;

std::string RankName(base::Rank rank) { return absl::StrFormat("%05u", rank); }

absl::Status Wrong(const std::string& path, std::string_view why) {
  return absl::InvalidArgumentError(blob::Cat(path, ": ", why));
}

// A path that stays below the folder.
bool IsPlain(std::string_view path) {
  const fs::path parts{std::string(path)};
  return !path.empty() && parts.is_relative() &&
         std::none_of(parts.begin(), parts.end(),
                      [](const fs::path& part) { return part == ".." || part == "."; });
}

class OpenFile {
 public:
  OpenFile(const std::string& path, int flags, mode_t mode = 0)
      : fd_(open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~OpenFile() {
    if (fd_ >= 0) close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

bool ReadAt(int fd, uint64_t offset, char* to, uint64_t bytes) {
  while (bytes > 0) {
    const ssize_t got = pread(fd, to, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to += got;
    offset += static_cast<uint64_t>(got);
    bytes -= static_cast<uint64_t>(got);
  }
  return true;
}

absl::Status WriteWhole(const std::string& path, const char* from, uint64_t bytes, uint32_t mode) {
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  OpenFile file(path, O_WRONLY | O_CREAT | O_EXCL, mode & kModes);
  while (file.fd() >= 0 && bytes > 0) {
    const ssize_t put = write(file.fd(), from, bytes);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) break;
    from += put;
    bytes -= static_cast<uint64_t>(put);
  }
  if (file.fd() >= 0 && bytes == 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("cannot write ", path, ": ", strerror(errno)));
}

// What a checkpoint has of one rank.
struct RankFiles {
  ordered_json list;
  const blob::RestoredState* state;
  const std::map<std::string_view, size_t>* tensors;  // by name
  std::string rank;

  absl::Status Write(const std::string& folder, std::map<std::string, std::string>* written) const {
    for (const auto& file : list) {
      const std::string path = file.value("path", "");
      if (!IsPlain(path)) {
        return absl::DataLossError(absl::StrCat("a file of the checkpoint is called '", path, "'"));
      }
      if (!written->emplace(path, rank).second) continue;
      const uint64_t bytes = file.value("bytes", uint64_t{0});
      const auto found = tensors->find(rank + "/" + path);
      const bool there = found != tensors->end() && state->tensors[found->second].bytes() == bytes;
      if (bytes > 0 && !there) {
        return absl::DataLossError(absl::StrCat("the checkpoint lists ", path, " of ", bytes,
                                                " bytes and does not hold it"));
      }
      const char* data = bytes > 0 ? state->data[found->second].get() : nullptr;
      absl::Status done =
          WriteWhole(folder + "/" + path, data, bytes, file.value("mode", uint32_t{0644}));
      if (!done.ok()) return done;
    }
    return absl::OkStatus();
  }
};

}  // namespace

FileSet::FileSet(base::Rank rank) : rank_(rank) {}

absl::StatusOr<FileSet> FileSet::Collect(const std::string& folder, base::Rank rank) {
  FileSet set(rank);
  set.folder_ = folder;
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    return Wrong(folder, error ? error.message() : "there is no such folder");
  }
  fs::recursive_directory_iterator it(folder, fs::directory_options::follow_directory_symlink,
                                      error);
  for (const fs::recursive_directory_iterator end; !error && it != end; it.increment(error)) {
    const std::string path = it->path();
    struct stat info;
    if (stat(path.c_str(), &info) != 0) return Wrong(path, strerror(errno));
    if (S_ISDIR(info.st_mode)) continue;
    if (!S_ISREG(info.st_mode)) return Wrong(path, "is neither a file nor a folder");
    if (set.files_.size() == kMostFiles) {
      return Wrong(folder, absl::StrCat("has more than ", kMostFiles, " files"));
    }
    set.files_.push_back({path.substr(folder.size() + 1), static_cast<uint64_t>(info.st_size),
                          info.st_mode & kModes});
  }
  if (error) return Wrong(folder, error.message());
  std::sort(set.files_.begin(), set.files_.end(),
            [](const File& a, const File& b) { return a.path < b.path; });
  return set;
}

std::string FileSet::List() const {
  ordered_json list = ordered_json::array();
  for (const File& file : files_) {
    list.push_back({{"path", file.path}, {"bytes", file.bytes}, {"mode", file.mode}});
  }
  return list.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

absl::StatusOr<std::shared_ptr<const blob::ShardBuffer>> FileSet::Read() const {
  const std::string list = List();
  const std::string rank = RankName(rank_);
  auto bytes_of = [](const std::string& name, uint64_t bytes) {
    return blob::TensorInfo{name, blob::DType::kUint8, {static_cast<int64_t>(bytes)}};
  };
  std::vector<blob::TensorInfo> tensors = {bytes_of(rank, list.size())};
  std::vector<const File*> of_tensor = {nullptr};
  for (const File& file : files_) {
    if (file.bytes == 0) continue;
    tensors.push_back(bytes_of(rank + "/" + file.path, file.bytes));
    of_tensor.push_back(&file);
  }
  absl::Status status;
  std::unique_ptr<OpenFile> open;
  size_t open_of = 0;
  auto shard =
      blob::ShardBuffer::BuildWhole(tensors, rank_, [&](const blob::Piece& piece, char* to) {
        const File* file = of_tensor[piece.tensor];
        if (file == nullptr) {
          std::copy_n(list.data() + piece.offset, piece.bytes, to);
          return;
        }
        const std::string path = folder_ + "/" + file->path;
        if (open == nullptr || open_of != piece.tensor) {
          open = std::make_unique<OpenFile>(path, O_RDONLY);
          open_of = piece.tensor;
        }
        if (open->fd() >= 0 && ReadAt(open->fd(), piece.offset, to, piece.bytes)) return;
        status.Update(Wrong(path,
                            "it was changed or removed while it was read; a folder that was "
                            "named as a checkpoint has to be left alone"));
      });
  if (!status.ok()) return status;
  return shard;
}

absl::Status WriteFiles(const blob::RestoredState& state, base::Rank rank,
                        const std::string& folder) {
  std::error_code error;
  fs::remove_all(folder, error);
  fs::create_directories(folder, error);
  std::map<std::string_view, size_t> tensors;
  for (size_t i = 0; i < state.tensors.size(); ++i) tensors[state.tensors[i].name] = i;
  std::vector<RankFiles> ranks;
  for (size_t i = 0; i < state.tensors.size(); ++i) {
    const std::string& name = state.tensors[i].name;
    if (name.find('/') != std::string::npos) continue;
    uint32_t number = 0;
    ordered_json list;
    if (absl::SimpleAtoi(name, &number) && RankName(number) == name) {
      const char* text = state.data[i].get();
      list = ordered_json::parse(text, text + state.tensors[i].bytes(), nullptr, false);
    }
    if (!list.is_array()) {
      return absl::InvalidArgumentError(
          "it is a checkpoint of a recipe (spec.model), not of a program (spec.command)");
    }
    RankFiles files{std::move(list), &state, &tensors, name};
    ranks.insert(number == rank ? ranks.begin() : ranks.end(), std::move(files));
  }
  std::map<std::string, std::string> written;
  for (const RankFiles& files : ranks) {
    if (absl::Status done = files.Write(folder, &written); !done.ok()) return done;
  }
  return absl::OkStatus();
}

}  // namespace coxswain::trainer::program
