#include "trainer/text/token_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

#include "trainer/blob/blob_names.h"
#include "trainer/blob/file_errors.h"
#include "trainer/blob/text.h"

namespace coxswain::trainer::text {
namespace {

using blob::Cat;

constexpr uint64_t kNpyHead = 4096;

class MappedFile : public data::ByteRanges {
 public:
  MappedFile(const char* bytes, uint64_t size) : bytes_(bytes), size_(size) {}
  ~MappedFile() override { munmap(const_cast<char*>(bytes_), size_); }
  const char* mapped() const override { return bytes_; }
  absl::Status Read(uint64_t, char*, uint64_t) const override {
    return absl::InternalError("a mapped file is not read by ranges");
  }

  static absl::StatusOr<std::shared_ptr<const data::ByteRanges>> Open(const std::string& path,
                                                                      uint64_t size) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return blob::FileError("open", path, errno);
    void* at = mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0);
    const int error = errno;
    close(file);
    if (at == MAP_FAILED) return blob::FileError("map", path, error);
    return std::make_shared<MappedFile>(static_cast<const char*>(at), size);
  }

 private:
  const char* const bytes_;
  const uint64_t size_;
};

class StoredObject : public data::ByteRanges {
 public:
  explicit StoredObject(blob::ObjectAt object) : object_(std::move(object)) {}
  absl::Status Read(uint64_t offset, char* to, uint64_t bytes) const override {
    return object_.store->GetRange(object_.name, offset, to, bytes);
  }

 private:
  const blob::ObjectAt object_;
};

// The text between `before` and the first of `ends` after it; empty: not there.
std::string_view Between(std::string_view text, std::string_view before, std::string_view ends) {
  size_t at = text.find(before);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + before.size());
  while (text.starts_with(' ')) text.remove_prefix(1);
  return text.substr(0, text.find_first_of(ends));
}

absl::Status Under(const std::string& uri, const absl::Status& status) {
  return absl::Status(status.code(), Cat(uri, ": ", status.message()));
}

}  // namespace

absl::StatusOr<NpyHeader> ParseNpyHeader(std::string_view head) {
  if (head.size() < 12) return absl::InvalidArgumentError("the .npy header is cut short");
  auto byte = [&](size_t i) { return static_cast<uint64_t>(static_cast<uint8_t>(head[i])); };
  const bool old = byte(6) == 1;
  NpyHeader out;
  out.bytes = old ? 10 + (byte(8) | byte(9) << 8)
                  : 12 + (byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24);
  if (out.bytes > head.size()) {
    return absl::InvalidArgumentError("the .npy header is cut short");
  }
  const std::string_view text = head.substr(0, out.bytes);
  const std::string_view type = Between(text, "'descr': '", "'");
  if (type != "<u2" && type != "<u4") {
    return absl::InvalidArgumentError(
        Cat("found numbers of the type '", type, "', expected '<u2' or '<u4' (uint16 or uint32)"));
  }
  out.width = type == "<u2" ? 2 : 4;
  const std::string_view shape = Between(text, "'shape': (", ")");
  const char* end = shape.data() + shape.size();
  auto [stop, error] = std::from_chars(shape.data(), end, out.count);
  const std::string_view rest(stop, static_cast<size_t>(end - stop));
  if (error != std::errc() || rest.find_first_not_of(", ") != std::string_view::npos) {
    return absl::InvalidArgumentError(
        Cat("found an array of the shape (", shape, "), expected one dimension"));
  }
  return out;
}

absl::StatusOr<data::TokenPart> OpenTokenFile(const std::string& uri, uint32_t width,
                                              const blob::StoreSettings& settings) {
  auto object = blob::OpenObject(uri, settings);
  if (!object.ok()) return object.status();
  auto size = object->store->Size(object->name);
  if (!size.ok()) return size.status();
  if (*size == 0) {
    return absl::InvalidArgumentError(Cat(uri, ": the file is empty; leave it out"));
  }
  std::string head(std::min(*size, kNpyHead), '\0');
  absl::Status read = object->store->GetRange(object->name, 0, head.data(), head.size());
  if (!read.ok()) return read;
  data::TokenPart part;
  part.name = uri;
  part.width = static_cast<int>(width);
  uint64_t tokens = *size / width, expected = tokens * width;
  if (head.starts_with("\x93NUMPY")) {
    auto header = ParseNpyHeader(head);
    if (!header.ok()) return Under(uri, header.status());
    part.offset = header->bytes;
    part.width = header->width;
    tokens = static_cast<uint64_t>(header->count);
    expected = header->bytes + tokens * static_cast<uint64_t>(header->width);
  }
  if (*size != expected) {
    return absl::InvalidArgumentError(
        Cat(uri, ": found ", *size, " bytes, expected ",
            part.offset > 0 ? Cat(expected, " for the ", tokens, " tokens of its header")
                            : Cat("a multiple of ", width, " (spec.data.token_type)"),
            *size < expected || part.offset == 0 ? "; is it cut short?" : ""));
  }
  if (tokens == 0) return absl::InvalidArgumentError(Cat(uri, ": holds no token; leave it out"));
  part.count = static_cast<int64_t>(tokens);
  auto parsed = blob::ParseStoreUri(uri);
  const bool file = parsed.ok() && parsed->scheme == blob::StoreUri::Scheme::kFile;
  if (file && !settings.open) {
    auto mapped = MappedFile::Open(parsed->path, *size);
    if (!mapped.ok()) return mapped.status();
    part.bytes = *std::move(mapped);
  } else {
    part.bytes = std::make_shared<StoredObject>(*std::move(object));
  }
  return part;
}

}  // namespace coxswain::trainer::text
