#include "trainer/blob/safetensors.h"
#include "trainer/blob/text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coxswain::trainer::blob {
namespace {

using nlohmann::ordered_json;

// The format's own limit on a header.
constexpr uint64_t kLongestHeader = 100'000'000;

absl::Status Malformed(std::string_view why) {
  return absl::InvalidArgumentError(Cat("malformed safetensors header: ", why));
}

bool IsCount(const ordered_json& value) { return value.is_number_unsigned(); }

struct PlacedEntry {
  uint64_t begin = 0, end = 0;
  TensorInfo info;
};

absl::StatusOr<PlacedEntry> ParseEntry(const std::string& name, const ordered_json& value) {
  auto wrong = [&](std::string_view what) {
    return Malformed(Cat("entry '", name, "' has ", what));
  };
  if (!value.is_object()) return wrong("no object");
  auto dtype = value.find("dtype"), shape = value.find("shape"), place = value.find("data_offsets");
  if (dtype == value.end() || !dtype->is_string()) return wrong("no dtype");
  if (shape == value.end() || !shape->is_array()) return wrong("no shape");
  if (place == value.end() || !place->is_array() || place->size() != 2 || !IsCount((*place)[0]) ||
      !IsCount((*place)[1])) {
    return wrong("no data_offsets");
  }
  std::optional<DType> parsed = ParseDType(dtype->get_ref<const std::string&>());
  if (!parsed) return wrong(Cat("unknown dtype ", dtype->get<std::string>()));
  PlacedEntry entry{(*place)[0], (*place)[1], {name, *parsed, {}}};
  unsigned __int128 bytes = ElementBytes(*parsed);
  for (const auto& size : *shape) {
    if (!IsCount(size)) return wrong("a shape that is not of whole numbers");
    entry.info.shape.push_back(size.get<int64_t>());
    bytes *= size.get<uint64_t>();
    if (bytes > (uint64_t{1} << 62)) return wrong("an impossible shape");
  }
  if (entry.end < entry.begin || entry.end - entry.begin != static_cast<uint64_t>(bytes)) {
    return wrong(Cat("data_offsets [", entry.begin, ", ", entry.end, "], its shape needs ",
                     static_cast<uint64_t>(bytes), " bytes"));
  }
  return entry;
}

absl::Status ParseMetadata(const ordered_json& value, std::map<std::string, std::string>* to) {
  if (!value.is_object()) return Malformed("__metadata__ is no object");
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) return Malformed(Cat("metadata '", key, "' is no text"));
    (*to)[key] = text.get<std::string>();
  }
  return absl::OkStatus();
}

}  // namespace

std::string SafetensorsHeader(const std::vector<TensorInfo>& entries,
                              const std::map<std::string, std::string>& metadata) {
  ordered_json json = ordered_json::object();
  if (!metadata.empty()) json["__metadata__"] = metadata;
  uint64_t begin = 0;
  for (const TensorInfo& entry : entries) {
    uint64_t end = begin + entry.bytes();
    json[entry.name] = {
        {"dtype", ToString(entry.dtype)}, {"shape", entry.shape}, {"data_offsets", {begin, end}}};
    begin = end;
  }
  std::string text = json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string header;
  for (int i = 0; i < 8; ++i) header.push_back(static_cast<char>(text.size() >> (8 * i) & 0xff));
  return header + text;
}

absl::StatusOr<uint64_t> SafetensorsHeaderBytes(std::string_view first8, uint64_t object_bytes) {
  if (first8.size() < 8 || object_bytes < 8) return Malformed("the object is shorter than 8 bytes");
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | static_cast<uint8_t>(first8[i]);
  if (length > kLongestHeader || length > object_bytes - 8) {
    return Malformed(
        Cat("its length is given as ", length, " bytes, the object has ", object_bytes));
  }
  return length + 8;
}

absl::StatusOr<ParsedSafetensors> ParseSafetensorsHeader(std::string_view header,
                                                         uint64_t object_bytes) {
  absl::StatusOr<uint64_t> length = SafetensorsHeaderBytes(header.substr(0, 8), object_bytes);
  if (!length.ok()) return length.status();
  if (header.size() < *length) return Malformed("cut short");
  ordered_json json = ordered_json::parse(header.substr(8, *length - 8), nullptr, false);
  if (!json.is_object()) return Malformed("no JSON object");
  ParsedSafetensors parsed;
  std::vector<PlacedEntry> placed;
  for (const auto& [name, value] : json.items()) {
    if (name == "__metadata__") {
      if (absl::Status status = ParseMetadata(value, &parsed.metadata); !status.ok()) return status;
      continue;
    }
    absl::StatusOr<PlacedEntry> entry = ParseEntry(name, value);
    if (!entry.ok()) return entry.status();
    placed.push_back(*std::move(entry));
  }
  std::stable_sort(placed.begin(), placed.end(), [](const PlacedEntry& a, const PlacedEntry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t next = 0;
  for (PlacedEntry& entry : placed) {
    if (entry.begin != next) {
      return Malformed(
          Cat("entry '", entry.info.name, "' begins at ", entry.begin, ", expected ", next));
    }
    next = entry.end;
    parsed.entries.push_back(std::move(entry.info));
  }
  if (*length + next != object_bytes) {
    return Malformed(
        Cat("it describes an object of ", *length + next, " bytes, found ", object_bytes));
  }
  return parsed;
}

}  // namespace coxswain::trainer::blob
