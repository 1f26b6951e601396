#include "worker/runtime/metric_record.h"

#include <string.h>
#include <zlib.h>

#include <type_traits>

namespace coxswain::worker {
namespace {

constexpr size_t kHeaderBytes = 8;
constexpr uint32_t kLongest = 64u << 20;

template <class T>
void Write(std::string& out, T value) {
  static_assert(std::is_arithmetic_v<T>);
  char bytes[sizeof value];
  memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

// Reads little by little; `sound` turns false at the first read past the end.
struct Reader {
  std::string_view bytes;
  bool sound = true;

  template <class T>
  T Read() {
    T value{};
    if (bytes.size() < sizeof value) {
      sound = false;
      return value;
    }
    memcpy(&value, bytes.data(), sizeof value);
    bytes.remove_prefix(sizeof value);
    return value;
  }
  std::string ReadText(size_t size) {
    if (bytes.size() < size) {
      sound = false;
      return "";
    }
    std::string text(bytes.substr(0, size));
    bytes.remove_prefix(size);
    return text;
  }
};

uint32_t Checksum(std::string_view bytes) {
  return static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

void WritePoint(std::string& out, const protocol::MetricPoint& point) {
  Write(out, static_cast<uint16_t>(point.name.size()));
  out += point.name.substr(0, UINT16_MAX);
  Write(out, point.rank);
  Write(out, point.step);
  Write(out, point.value);
  Write(out, point.time.us);
  Write(out, point.generation.value);
}

protocol::MetricPoint ReadPoint(Reader& in) {
  protocol::MetricPoint point;
  point.name = in.ReadText(in.Read<uint16_t>());
  point.rank = in.Read<int32_t>();
  point.step = in.Read<int64_t>();
  point.value = in.Read<double>();
  point.time.us = in.Read<int64_t>();
  point.generation = base::Generation(in.Read<uint64_t>());
  return point;
}

}  // namespace

std::string EncodeRecord(const protocol::MetricBatch& batch) {
  std::string body;
  Write(body, batch.batch);
  Write(body, batch.dropped);
  Write(body, static_cast<uint32_t>(batch.points.size()));
  for (const protocol::MetricPoint& point : batch.points) WritePoint(body, point);
  std::string record;
  Write(record, static_cast<uint32_t>(body.size()));
  Write(record, Checksum(body));
  return record + body;
}

std::optional<protocol::MetricBatch> DecodeRecord(std::string_view bytes, size_t* size) {
  Reader header{bytes};
  uint32_t length = header.Read<uint32_t>();
  uint32_t checksum = header.Read<uint32_t>();
  if (!header.sound || length > kLongest || header.bytes.size() < length) return std::nullopt;
  Reader body{header.bytes.substr(0, length)};
  if (Checksum(body.bytes) != checksum) return std::nullopt;
  protocol::MetricBatch batch;
  batch.batch = body.Read<uint64_t>();
  batch.dropped = body.Read<uint64_t>();
  uint32_t count = body.Read<uint32_t>();
  for (uint32_t i = 0; i < count && body.sound; ++i) batch.points.push_back(ReadPoint(body));
  if (!body.sound) return std::nullopt;
  *size = kHeaderBytes + length;
  return batch;
}

}  // namespace coxswain::worker
