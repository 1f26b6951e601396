#include "trainer/task/idx_object.h"

#include <zlib.h>

#include <algorithm>

#include "trainer/blob/text.h"

namespace coxswain::trainer::task {
namespace {

using blob::Cat;

constexpr uint64_t kReadBytes = 1 << 20;
constexpr uint64_t kLongestHeader = 4 + 4 * 4;  // up to four dimensions

uint64_t BigEndian32(std::string_view bytes, size_t at) {
  uint64_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

// zlib's state, ended with it.
class Inflater {
 public:
  Inflater() { ok_ = inflateInit2(&stream_, 16 + MAX_WBITS) == Z_OK; }  // 16: gzip
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  bool ok() const { return ok_; }
  bool at_end() const { return at_end_; }

  // Unpacks `packed`, handing over parts; false: stop (told to, or the data is bad).
  bool Feed(std::string_view packed, absl::FunctionRef<bool(std::string_view)> take) {
    char unpacked[64 << 10];
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream_.avail_in = static_cast<uInt>(packed.size());
    while (stream_.avail_in > 0) {
      if (at_end_ && inflateReset(&stream_) != Z_OK) return ok_ = false;  // another member follows
      stream_.next_out = reinterpret_cast<Bytef*>(unpacked);
      stream_.avail_out = sizeof unpacked;
      int result = inflate(&stream_, Z_NO_FLUSH);
      at_end_ = result == Z_STREAM_END;
      if (result != Z_OK && result != Z_STREAM_END) return ok_ = false;
      if (!take({unpacked, sizeof unpacked - stream_.avail_out})) return false;
    }
    return true;
  }

 private:
  z_stream stream_{};
  bool ok_ = false, at_end_ = false;
};

}  // namespace

absl::Status IdxObject::Wrong(std::string_view what) const {
  return absl::InvalidArgumentError(Cat(uri_, ": ", what));
}

absl::StatusOr<IdxObject> IdxObject::Open(const std::string& uri,
                                          const blob::StoreSettings& settings) {
  absl::StatusOr<blob::ObjectAt> object = blob::OpenObject(uri, settings);
  if (!object.ok()) return object.status();
  IdxObject idx;
  idx.uri_ = uri;
  idx.object_ = *std::move(object);
  absl::StatusOr<uint64_t> bytes = idx.object_.store->Size(idx.object_.name);
  if (!bytes.ok()) return bytes.status();
  idx.bytes_ = *bytes;
  if (idx.bytes_ < 4) return idx.Wrong(Cat("cut short: found ", idx.bytes_, " bytes"));
  char first[2];
  absl::Status status = idx.object_.store->GetRange(idx.object_.name, 0, first, 2);
  if (!status.ok()) return status;
  idx.gzipped_ = std::string_view(first, 2) == "\x1f\x8b";
  return idx;
}

absl::StatusOr<uint64_t> IdxObject::Unpack(absl::FunctionRef<bool(std::string_view)> take,
                                           bool* whole) {
  Inflater inflater;
  std::string packed;
  uint64_t unpacked = 0;
  auto counted = [&](std::string_view part) {
    unpacked += part.size();
    return take(part);
  };
  uint64_t step = 64 << 10;  // most headers need no more
  for (uint64_t at = 0; at < bytes_; at += packed.size(), step = kReadBytes) {
    packed.resize(std::min(step, bytes_ - at));
    absl::Status status = object_.store->GetRange(object_.name, at, packed.data(), packed.size());
    if (!status.ok()) return status;
    if (!(gzipped_ ? inflater.Feed(packed, counted) : counted(packed))) break;
  }
  *whole = gzipped_ ? inflater.ok() && inflater.at_end() : unpacked == bytes_;
  return unpacked;
}

absl::StatusOr<IdxHeader> IdxObject::ReadHeader() {
  std::string head;
  bool whole = false;
  auto take = [&](std::string_view part) {
    head.append(part.substr(0, kLongestHeader - head.size()));
    return head.size() < kLongestHeader;
  };
  if (absl::StatusOr<uint64_t> unpacked = Unpack(take, &whole); !unpacked.ok()) {
    return unpacked.status();
  }
  if (head.size() < 4)
    return Wrong(Cat("cut short: only ", head.size(), " bytes could be unpacked"));
  if (head[0] != 0 || head[1] != 0) {
    return Wrong(Cat("not an IDX file: it begins with ", BigEndian32(head, 0),
                     ", expected 2051 (images) or 2049 (labels)"));
  }
  if (head[2] != 8) {
    return Wrong(
        Cat("IDX element type ", static_cast<int>(head[2]), ", expected 8 (unsigned bytes)"));
  }
  size_t count = static_cast<uint8_t>(head[3]);
  IdxHeader header;
  header.header_bytes = 4 + 4 * count;
  if (count == 0 || count > 4 || head.size() < header.header_bytes) {
    return Wrong(Cat("found an IDX header of ", count, " dimensions in ", head.size(),
                     " bytes, expected 1 to 4 dimensions, whole"));
  }
  unsigned __int128 elements = 1;
  for (size_t i = 0; i < count; ++i) {
    header.dims.push_back(BigEndian32(head, 4 + 4 * i));
    elements *= header.dims.back();
    if (elements > (uint64_t{1} << 50)) return Wrong("its header demands an impossible size");
  }
  header.file_bytes = header.header_bytes + static_cast<uint64_t>(elements);
  return header;
}

absl::Status IdxObject::CheckSize(const IdxHeader& header) {
  if (!gzipped_ && bytes_ == header.file_bytes) return absl::OkStatus();
  if (gzipped_ && bytes_ > 18) {
    char last[4];  // of a whole gzip file: its unpacked size modulo 2^32, little-endian
    absl::Status status = object_.store->GetRange(object_.name, bytes_ - 4, last, 4);
    if (!status.ok()) return status;
    std::reverse(last, last + 4);
    if (BigEndian32({last, 4}, 0) == (header.file_bytes & 0xffffffff)) return absl::OkStatus();
  }
  bool whole = false;
  absl::StatusOr<uint64_t> found = Unpack([](std::string_view) { return true; }, &whole);
  if (!found.ok()) return found.status();
  if (*found == header.file_bytes && whole) return absl::OkStatus();
  std::string_view unpacked = gzipped_ ? " unpacked" : "";
  if (*found < header.file_bytes || !whole) {
    return Wrong(
        Cat("cut short: found ", *found, unpacked, " bytes, expected ", header.file_bytes));
  }
  return Wrong(Cat("too long: found ", *found, unpacked, " bytes, expected ", header.file_bytes));
}

absl::Status IdxObject::ReadElements(const IdxHeader& header,
                                     absl::FunctionRef<void(std::string_view)> take) {
  uint64_t skip = header.header_bytes;
  bool whole = false;
  auto after_header = [&](std::string_view part) {
    uint64_t cut = std::min<uint64_t>(skip, part.size());
    skip -= cut;
    take(part.substr(cut));
    return true;
  };
  absl::StatusOr<uint64_t> found = Unpack(after_header, &whole);
  if (!found.ok()) return found.status();
  if (whole && *found == header.file_bytes) return absl::OkStatus();
  return Wrong(Cat(*found < header.file_bytes ? "cut short" : "damaged", ": found ", *found,
                   gzipped_ ? " unpacked" : "", " bytes, expected ", header.file_bytes));
}

}  // namespace coxswain::trainer::task
