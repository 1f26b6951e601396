#include "trainer/engine/pretrained/model_folder.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "trainer/blob/safetensors.h"
#include "trainer/blob/text.h"
#include "trainer/engine/pretrained/float_convert.h"
#include "trainer/engine/pretrained/hf_config.h"

namespace coxswain::trainer::pretrained {
namespace {

using blob::Cat;
using blob::TensorInfo;

constexpr char kSingle[] = "model.safetensors";
constexpr char kIndex[] = "model.safetensors.index.json";
constexpr uint64_t kPieceBytes = 8 << 20;

// Where one tensor's bytes are.
struct Place {
  TensorInfo info;
  std::string file;
  uint64_t offset = 0;
};

// Buffers that older files have beside the parameters.
bool IsIgnored(const std::string& name) {
  return name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias") ||
         name.ends_with(".rotary_emb.inv_freq") || name.ends_with(".num_batches_tracked");
}

// Files of the bare model lack the first part of the names.
std::string WithoutHead(const std::string& name) {
  for (const char* head : {"transformer.", "model.", "resnet."}) {
    if (name.starts_with(head)) return name.substr(std::string(head).size());
  }
  return name;
}

std::string Shape(const TensorInfo& tensor) {
  std::string out = "[";
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    out += Cat(i == 0 ? "" : ", ", tensor.shape[i]);
  }
  return out + "]";
}

bool IsFloat(blob::DType type) {
  return type == blob::DType::kFloat16 || type == blob::DType::kBFloat16 ||
         type == blob::DType::kFloat32 || type == blob::DType::kFloat64;
}

// A resnet's last layer; after it, what to do about another number of classes.
constexpr char kHead[] = "classifier.";
constexpr char kNewHead[] =
    "; for other classes than spec.data.classes, spec.model.head: new begins the last layer anew";

const char* HintFor(const std::string& name) { return name.starts_with(kHead) ? kNewHead : ""; }

class Folder {
 public:
  static absl::StatusOr<Folder> Open(const std::string& uri, const blob::StoreSettings& settings) {
    auto store = blob::OpenStore(uri, settings);
    if (!store.ok()) return store.status();
    return Folder(*std::move(store));
  }

  absl::Status List() {
    auto size = store_->Size(kSingle);
    if (size.ok()) return ListFile(kSingle, *size);
    if (!absl::IsNotFound(size.status())) return size.status();
    auto index = store_->Get(kIndex);
    if (absl::IsNotFound(index.status())) {
      return absl::NotFoundError(Cat(store_->uri(), ": holds neither ", kSingle, " nor ", kIndex));
    }
    if (!index.ok()) return index.status();
    const auto json = nlohmann::json::parse(*index, nullptr, false);
    const auto map = json.is_object() ? json.find("weight_map") : json.end();
    if (map == json.end() || !map->is_object()) return Wrong(kIndex, "it has no \"weight_map\"");
    std::set<std::string> files;
    for (const auto& file : *map) {
      if (file.is_string()) files.insert(file.get<std::string>());
    }
    for (const std::string& file : files) {
      if (file.find('/') != std::string::npos) return Wrong(kIndex, Cat("it names ", file));
      auto bytes = store_->Size(file);
      if (!bytes.ok()) return bytes.status();
      if (absl::Status listed = ListFile(file, *bytes); !listed.ok()) return listed;
    }
    return absl::OkStatus();
  }

  // The places of what is wanted, in that order.
  absl::StatusOr<std::vector<Place>> Find(const std::vector<TensorInfo>& wanted) const {
    std::vector<Place> found;
    std::set<std::string> used;
    for (const TensorInfo& tensor : wanted) {
      auto at = places_.find(tensor.name);
      if (at == places_.end()) at = places_.find(WithoutHead(tensor.name));
      if (at == places_.end()) {
        return absl::InvalidArgumentError(
            Cat(store_->uri(), ": has no tensor '", tensor.name, "'", HintFor(tensor.name)));
      }
      const TensorInfo& there = at->second.info;
      if (there.shape != tensor.shape || !IsFloat(there.dtype)) {
        return Wrong(
            at->second.file,
            Cat("the tensor '", there.name, "' is ", ToString(there.dtype), " ", Shape(there),
                ", expected floats of ", Shape(tensor), HintFor(tensor.name)));
      }
      used.insert(at->first);
      found.push_back(at->second);
    }
    const bool untied = std::any_of(wanted.begin(), wanted.end(),
                                    [](const TensorInfo& t) { return t.name == "lm_head.weight"; });
    const auto begins = [&](const char* with) {
      return std::any_of(wanted.begin(), wanted.end(),
                         [&](const TensorInfo& t) { return t.name.starts_with(with); });
    };
    const bool new_head = begins("resnet.") && !begins(kHead);
    for (const auto& [name, place] : places_) {
      const bool tied_copy = name == "lm_head.weight" && !untied;
      const bool old_head = name.starts_with(kHead) && new_head;
      if (used.contains(name) || IsIgnored(name) || tied_copy || old_head) continue;
      return Wrong(place.file, Cat("the tensor '", name, "' has no place in the model"));
    }
    return found;
  }

  absl::Status Read(const Place& place, const TensorInfo& as, char* to) const {
    const uint64_t from_size = blob::ElementBytes(place.info.dtype);
    const uint64_t to_size = blob::ElementBytes(as.dtype);
    const uint64_t elements = as.bytes() / to_size, at_once = kPieceBytes / from_size;
    std::string piece;
    for (uint64_t done = 0; done < elements; done += at_once) {
      const uint64_t count = std::min(at_once, elements - done);
      piece.resize(count * from_size);
      absl::Status read =
          store_->GetRange(place.file, place.offset + done * from_size, piece.data(), piece.size());
      if (!read.ok()) return read;
      ConvertFloats(place.info.dtype, piece.data(), count, as.dtype, to + done * to_size);
    }
    return absl::OkStatus();
  }

 private:
  explicit Folder(std::unique_ptr<blob::BlobStore> store) : store_(std::move(store)) {}

  absl::Status Wrong(const std::string& file, const std::string& why) const {
    return absl::InvalidArgumentError(Cat(store_->uri(), "/", file, ": ", why));
  }

  absl::Status ListFile(const std::string& file, uint64_t bytes) {
    if (bytes < 8) return Wrong(file, Cat("cut short: found ", bytes, " bytes"));
    std::string header(8, '\0');
    absl::Status read = store_->GetRange(file, 0, header.data(), 8);
    if (!read.ok()) return read;
    auto length = blob::SafetensorsHeaderBytes(header, bytes);
    if (!length.ok()) return Wrong(file, std::string(length.status().message()));
    header.resize(*length);
    read = store_->GetRange(file, 0, header.data(), *length);
    if (!read.ok()) return read;
    auto parsed = blob::ParseSafetensorsHeader(header, bytes);
    if (!parsed.ok()) return Wrong(file, std::string(parsed.status().message()));
    uint64_t offset = *length;
    for (TensorInfo& entry : parsed->entries) {
      const uint64_t size = entry.bytes();
      std::string name = entry.name;
      places_[name] = {std::move(entry), file, offset};
      offset += size;
    }
    return absl::OkStatus();
  }

  std::unique_ptr<blob::BlobStore> store_;
  std::map<std::string, Place> places_;
};

absl::Status Under(const absl::Status& status) {
  return absl::Status(status.code(), Cat("spec.model.from: ", status.message()));
}

struct Found {
  Folder folder;
  std::vector<Place> places;
};

absl::StatusOr<Found> FindAll(const std::string& uri, const std::vector<TensorInfo>& wanted,
                              const blob::StoreSettings& settings) {
  auto folder = Folder::Open(uri, settings);
  if (!folder.ok()) return Under(folder.status());
  if (absl::Status listed = folder->List(); !listed.ok()) return Under(listed);
  auto places = folder->Find(wanted);
  if (!places.ok()) return Under(places.status());
  return Found{*std::move(folder), *std::move(places)};
}

}  // namespace

absl::StatusOr<config::Model> ResolveModel(const config::Model& model,
                                           const blob::StoreSettings& settings) {
  if (model.from.empty()) return model;
  const auto under = [&](const absl::Status& status, bool file) {
    return absl::Status(status.code(), Cat("spec.model.from: ", file ? model.from : "",
                                           file ? "/config.json: " : "", status.message()));
  };
  auto store = blob::OpenStore(model.from, settings);
  if (!store.ok()) return under(store.status(), false);
  auto json = (*store)->Get("config.json");
  if (!json.ok()) return under(json.status(), false);
  auto resolved = WithShapesOf(model, *json);
  if (!resolved.ok()) return under(resolved.status(), true);
  return resolved;
}

std::vector<TensorInfo> WithoutNewHead(const config::Model& model,
                                       std::vector<TensorInfo> tensors) {
  if (model.new_head) {
    std::erase_if(tensors, [](const TensorInfo& each) { return each.name.starts_with(kHead); });
  }
  return tensors;
}

absl::StatusOr<Weights> ReadWeights(const std::string& uri, std::vector<TensorInfo> wanted,
                                    const blob::StoreSettings& settings) {
  auto found = FindAll(uri, wanted, settings);
  if (!found.ok()) return found.status();
  Weights weights;
  for (size_t i = 0; i < wanted.size(); ++i) {
    weights.data.push_back(std::make_unique_for_overwrite<char[]>(wanted[i].bytes()));
    absl::Status read = found->folder.Read(found->places[i], wanted[i], weights.data.back().get());
    if (!read.ok()) return Under(read);
  }
  weights.tensors = std::move(wanted);
  return weights;
}

absl::Status CheckWeights(const std::string& uri, const std::vector<TensorInfo>& wanted,
                          const blob::StoreSettings& settings) {
  return FindAll(uri, wanted, settings).status();
}

}  // namespace coxswain::trainer::pretrained
