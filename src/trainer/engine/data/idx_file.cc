#include "trainer/engine/data/idx_file.h"

#include <libdeflate.h>

#include <memory>

namespace coxswain::trainer::data {
namespace {

uint32_t BigEndian(std::string_view bytes, size_t at) {
  auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(bytes[at + i])); };
  return byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3);
}

absl::Status Wrong(std::string_view uri, std::string text) {
  return absl::InvalidArgumentError(std::string(uri) + ": " + std::move(text));
}

bool IsGzip(std::string_view file) {
  return file.size() >= 18 && file[0] == '\x1f' && file[1] == '\x8b';
}

// gzip's last four bytes say the unpacked size, modulo 2^32.
absl::StatusOr<std::string> Unpack(std::string_view file, std::string_view uri) {
  size_t end = file.size() - 4;
  auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(file[end + i])); };
  size_t size = byte(0) | byte(1) << 8 | byte(2) << 16 | byte(3) << 24;
  // Deflate packs at most 1032 to 1: a larger claim is a damaged or cut file.
  if (size > file.size() * 1032 + 64) {
    return Wrong(uri, "the gzip data is damaged or cut short (" + std::to_string(file.size()) +
                          " bytes found); copy the file again");
  }
  std::string out(size, '\0');
  std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> unpacker(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  size_t written = 0;
  libdeflate_result result = libdeflate_gzip_decompress(unpacker.get(), file.data(), file.size(),
                                                        out.data(), out.size(), &written);
  if (result != LIBDEFLATE_SUCCESS || written != size) {
    return Wrong(uri, "the gzip data is damaged or cut short (" + std::to_string(file.size()) +
                          " bytes found); copy the file again");
  }
  return out;
}

}  // namespace

absl::StatusOr<IdxArray> ParseIdx(std::string file, std::string_view uri) {
  IdxArray array;
  if (IsGzip(file)) {
    absl::StatusOr<std::string> unpacked = Unpack(file, uri);
    if (!unpacked.ok()) return unpacked.status();
    array.storage = *std::move(unpacked);
  } else {
    array.storage = std::move(file);
  }
  const std::string& bytes = array.storage;
  if (bytes.size() < 4 || bytes[0] != 0 || bytes[1] != 0) {
    return Wrong(uri,
                 "not an IDX file: expected it to begin with two zero bytes (plain, or gzipped)");
  }
  if (bytes[2] != 8) {
    return Wrong(uri, "IDX element type " + std::to_string(static_cast<uint8_t>(bytes[2])) +
                          " found, expected 8 (unsigned bytes)");
  }
  size_t dims = static_cast<uint8_t>(bytes[3]);
  array.offset = 4 + 4 * dims;
  if (dims == 0 || dims > 4 || bytes.size() < array.offset) {
    return Wrong(uri,
                 "IDX header with " + std::to_string(dims) + " dimensions found, expected 1 to 4");
  }
  size_t count = 1;
  for (size_t i = 0; i < dims; ++i) {
    array.dims.push_back(BigEndian(bytes, 4 + 4 * i));
    if (array.dims.back() != 0 && count > (size_t{1} << 40) / array.dims.back()) {
      return Wrong(uri, "the IDX header states an impossible size");
    }
    count *= array.dims.back();
  }
  size_t found = bytes.size() - array.offset;
  if (found != count) {
    return Wrong(uri, std::string(found < count ? "cut short" : "too long") +
                          ": the header states " + std::to_string(count) +
                          " elements, the file holds " + std::to_string(found) +
                          "; copy the file again");
  }
  array.count = count;
  return array;
}

}  // namespace coxswain::trainer::data
