#include "trainer/blob/manifest.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "trainer/blob/text.h"

namespace coxswain::trainer::blob {
namespace {

using nlohmann::ordered_json;

bool IsPlainText(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

// Texts stay readable; other bytes are {"base64": ...}.
ordered_json StateToJson(const std::map<std::string, std::string>& state) {
  ordered_json json = ordered_json::object();
  for (const auto& [key, value] : state) {
    if (IsPlainText(value)) {
      json[key] = value;
    } else {
      json[key] = {{"base64", absl::Base64Escape(value)}};
    }
  }
  return json;
}

// Reads keys of one JSON object; the first thing that is wrong is kept.
class Reader {
 public:
  Reader(const ordered_json& json, std::string where, absl::Status* status)
      : json_(json), where_(std::move(where)), status_(status) {
    if (!json.is_object()) Wrong("", "an object");
  }

  const ordered_json* Find(const char* key) {
    if (!status_->ok()) return nullptr;
    auto found = json_.find(key);
    if (found == json_.end()) {
      Wrong(key, "a value, found none");
      return nullptr;
    }
    return &*found;
  }
  std::string Text(const char* key) {
    const ordered_json* value = Find(key);
    if (value && !value->is_string()) Wrong(key, "a text");
    return status_->ok() ? value->get<std::string>() : "";
  }
  uint64_t Count(const char* key, uint64_t most = std::numeric_limits<int64_t>::max()) {
    const ordered_json* value = Find(key);
    if (!value) return 0;
    if (!value->is_number_unsigned() || value->get<uint64_t>() > most) {
      Wrong(key, Cat("a whole number from 0 to ", most));
    }
    return status_->ok() ? value->get<uint64_t>() : 0;
  }
  // The items of a list; empty after an error.
  const ordered_json& List(const char* key) {
    static const ordered_json none = ordered_json::array();
    const ordered_json* value = Find(key);
    if (value && !value->is_array()) Wrong(key, "a list");
    return status_->ok() ? *value : none;
  }
  void Wrong(const char* key, std::string_view expected) {
    if (!status_->ok()) return;
    *status_ =
        absl::InvalidArgumentError(Cat(where_, *key ? "." : "", key, ": expected ", expected));
  }

 private:
  const ordered_json& json_;
  const std::string where_;
  absl::Status* status_;
};

void ReadState(const ordered_json* json, Reader& reader,
               std::map<std::string, std::string>* state) {
  if (!json) return;
  if (!json->is_object()) return reader.Wrong("state", "an object");
  for (const auto& [key, value] : json->items()) {
    if (value.is_string()) {
      (*state)[key] = value.get<std::string>();
    } else if (!value.is_object() || !value.contains("base64") || !value["base64"].is_string() ||
               !absl::Base64Unescape(value["base64"].get<std::string>(), &(*state)[key])) {
      return reader.Wrong("state", "texts or base64");
    }
  }
}

void ReadTensor(const ordered_json& json, const std::string& where, absl::Status* status,
                std::vector<TensorInfo>* tensors) {
  Reader reader(json, where, status);
  TensorInfo tensor;
  tensor.name = reader.Text("name");
  std::string dtype = reader.Text("dtype");
  std::optional<DType> parsed = ParseDType(dtype);
  if (!parsed) reader.Wrong("dtype", Cat("an element type, found '", dtype, "'"));
  tensor.dtype = parsed.value_or(DType::kFloat32);
  unsigned __int128 bytes = ElementBytes(tensor.dtype);
  for (const auto& size : reader.List("shape")) {
    if (!size.is_number_unsigned()) return reader.Wrong("shape", "whole numbers");
    tensor.shape.push_back(size.get<int64_t>());
    bytes *= size.get<uint64_t>();
    if (bytes > (uint64_t{1} << 62)) return reader.Wrong("shape", "at most 2^62 bytes");
  }
  tensors->push_back(std::move(tensor));
}

void ReadShard(const ordered_json& json, const std::string& where, absl::Status* status,
               std::vector<protocol::Shard>* shards) {
  Reader reader(json, where, status);
  protocol::Shard shard;
  shard.rank = static_cast<protocol::Rank>(reader.Count("rank", UINT32_MAX));
  shard.object = reader.Text("object");
  shard.bytes = reader.Count("bytes");
  shard.hash = reader.Text("hash");
  if (shard.object.empty() || shard.object.find('/') != std::string::npos ||
      shard.object[0] == '.') {
    reader.Wrong("object", "a name below the checkpoint's folder");
  }
  if (shard.hash.size() != 16) reader.Wrong("hash", "16 hex digits");
  shards->push_back(std::move(shard));
}

}  // namespace

std::string ToJson(const Manifest& manifest) {
  const CheckpointInfo& info = manifest.info;
  ordered_json tensors = ordered_json::array(), shards = ordered_json::array();
  for (const TensorInfo& tensor : manifest.tensors) {
    tensors.push_back(
        {{"name", tensor.name}, {"dtype", ToString(tensor.dtype)}, {"shape", tensor.shape}});
  }
  for (const protocol::Shard& shard : manifest.shards) {
    shards.push_back({{"rank", shard.rank},
                      {"object", shard.object},
                      {"bytes", shard.bytes},
                      {"hash", shard.hash}});
  }
  ordered_json json = {{"format", kManifestFormat},
                       {"cluster", info.cluster},
                       {"job", info.job},
                       {"generation", info.generation.value},
                       {"step", info.step},
                       {"position", info.position},
                       {"epoch", info.epoch},
                       {"world_size", info.world_size},
                       {"spec_digest", info.spec_digest},
                       {"state", StateToJson(info.state)},
                       {"tensors", std::move(tensors)},
                       {"shards", std::move(shards)}};
  return json.dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

absl::StatusOr<Manifest> ParseManifest(std::string_view text) {
  ordered_json json = ordered_json::parse(text, nullptr, false);
  if (json.is_discarded()) return absl::InvalidArgumentError("not JSON");
  absl::Status status;
  Reader reader(json, "manifest", &status);
  uint64_t format = reader.Count("format");
  if (status.ok() && format != kManifestFormat) {
    return absl::FailedPreconditionError(
        Cat("manifest.format: found ", format, ", expected ", kManifestFormat,
            "; it was written by another version of Coxswain: use that one"));
  }
  Manifest manifest;
  CheckpointInfo& info = manifest.info;
  info.cluster = reader.Text("cluster");
  info.job = reader.Text("job");
  info.generation = base::Generation(reader.Count("generation"));
  info.step = static_cast<int64_t>(reader.Count("step"));
  info.position = static_cast<int64_t>(reader.Count("position"));
  info.epoch = static_cast<int64_t>(reader.Count("epoch"));
  info.world_size = static_cast<uint32_t>(reader.Count("world_size", UINT32_MAX));
  info.spec_digest = reader.Text("spec_digest");
  ReadState(reader.Find("state"), reader, &info.state);
  for (const auto& tensor : reader.List("tensors")) {
    ReadTensor(tensor, Cat("manifest.tensors[", manifest.tensors.size(), "]"), &status,
               &manifest.tensors);
  }
  for (const auto& shard : reader.List("shards")) {
    ReadShard(shard, Cat("manifest.shards[", manifest.shards.size(), "]"), &status,
              &manifest.shards);
  }
  if (!status.ok()) return status;
  return manifest;
}

std::string CommittedText(std::string_view manifest_hash) {
  return Cat("{\"manifest_hash\": \"", manifest_hash, "\"}\n");
}

absl::StatusOr<std::string> ParseCommitted(std::string_view text) {
  ordered_json json = ordered_json::parse(text, nullptr, false);
  absl::Status status;
  Reader reader(json, kCommittedName, &status);
  std::string hash = reader.Text("manifest_hash");
  if (!status.ok()) return status;
  return hash;
}

}  // namespace coxswain::trainer::blob
