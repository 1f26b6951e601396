#include "trainer/text/text_file.h"

#include <zlib.h>
#include <zstd.h>

#include <memory>

#include "common/config/quantities.h"
#include "trainer/blob/text.h"

namespace coxswain::trainer::text {
namespace {

using blob::Cat;

constexpr size_t kPiece = 1 << 20;

absl::Status Damaged(const std::string& uri, const char* format, size_t bytes) {
  return absl::InvalidArgumentError(Cat(uri, ": the ", format,
                                        " data is damaged or cut short (found ", bytes,
                                        " bytes); copy the file again"));
}

absl::Status TooMuch(const std::string& uri, uint64_t most) {
  return absl::ResourceExhaustedError(
      Cat(uri, ": found more than ", config::FormatSize(static_cast<int64_t>(most)), " of text"));
}

absl::StatusOr<std::string> Gunzip(const std::string& file, const std::string& uri, uint64_t most) {
  z_stream stream{};
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) return absl::ResourceExhaustedError("zlib");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> ends(&stream, inflateEnd);
  std::string out;
  size_t read = 0;
  int result = Z_OK;
  while (read < file.size() || result == Z_OK) {
    if (result == Z_STREAM_END && inflateReset(&stream) != Z_OK) break;  // another member
    const size_t written = out.size();
    out.resize(written + kPiece);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(file.data() + read));
    stream.avail_in = static_cast<uInt>(std::min(file.size() - read, kPiece));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + written);
    stream.avail_out = kPiece;
    const uInt given = stream.avail_in;
    result = inflate(&stream, Z_NO_FLUSH);
    read += given - stream.avail_in;
    out.resize(written + kPiece - stream.avail_out);
    if (out.size() > most) return TooMuch(uri, most);
    if (result != Z_OK && result != Z_STREAM_END) return Damaged(uri, "gzip", file.size());
  }
  if (result != Z_STREAM_END) return Damaged(uri, "gzip", file.size());
  return out;
}

absl::StatusOr<std::string> Unzstd(const std::string& file, const std::string& uri, uint64_t most) {
  const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(),
                                                                   ZSTD_freeDCtx);
  std::string out;
  ZSTD_inBuffer in{file.data(), file.size(), 0};
  size_t left = 1;
  while (in.pos < in.size || left != 0) {
    const size_t written = out.size(), consumed = in.pos;
    out.resize(written + kPiece);
    ZSTD_outBuffer to{out.data() + written, kPiece, 0};
    left = ZSTD_decompressStream(context.get(), &to, &in);
    out.resize(written + to.pos);
    const bool stuck = left != 0 && in.pos == consumed && to.pos == 0;
    if (ZSTD_isError(left) || stuck) return Damaged(uri, "zstd", file.size());
    if (out.size() > most) return TooMuch(uri, most);
  }
  return out;
}

}  // namespace

absl::StatusOr<std::string> Unpacked(std::string file, const std::string& uri, uint64_t most) {
  if (file.starts_with("\x1f\x8b")) return Gunzip(file, uri, most);
  if (file.starts_with("\x28\xb5\x2f\xfd")) return Unzstd(file, uri, most);
  return file;
}

absl::StatusOr<std::string> ReadTextFile(const std::string& uri, uint64_t most,
                                         const blob::StoreSettings& settings) {
  auto object = blob::OpenObject(uri, settings);
  if (!object.ok()) return object.status();
  auto bytes = object->store->Size(object->name);
  if (!bytes.ok()) return bytes.status();
  if (*bytes > most) return TooMuch(uri, most);
  auto file = object->store->Get(object->name);
  if (!file.ok()) return file.status();
  auto text = Unpacked(*std::move(file), uri, most);
  if (text.ok() && text->empty()) {
    return absl::InvalidArgumentError(Cat(uri, ": the file is empty; leave it out"));
  }
  return text;
}

}  // namespace coxswain::trainer::text
