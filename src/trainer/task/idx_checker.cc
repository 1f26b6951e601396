#include "trainer/task/idx_checker.h"

#include "trainer/blob/text.h"
#include "trainer/task/idx_object.h"

namespace coxswain::trainer::task {
namespace {

using blob::Cat;

absl::Status Under(const std::string& key, const absl::Status& status) {
  return absl::Status(status.code(), Cat(key, ": ", status.message()));
}

struct OpenedIdx {
  IdxObject object;
  IdxHeader header;
};

absl::StatusOr<OpenedIdx> OpenIdx(const std::string& uri, const blob::StoreSettings& settings) {
  absl::StatusOr<IdxObject> object = IdxObject::Open(uri, settings);
  if (!object.ok()) return object.status();
  absl::StatusOr<IdxHeader> header = object->ReadHeader();
  if (!header.ok()) return header.status();
  return OpenedIdx{*std::move(object), *std::move(header)};
}

absl::StatusOr<IdxSummary> CheckImages(const std::string& uri,
                                       const blob::StoreSettings& settings) {
  absl::StatusOr<OpenedIdx> images = OpenIdx(uri, settings);
  if (!images.ok()) return images.status();
  const std::vector<uint64_t>& dims = images->header.dims;
  if (dims.size() < 3) {
    return absl::InvalidArgumentError(Cat(uri, ": found ", dims.size(),
                                          dims.size() == 1 ? " dimension" : " dimensions",
                                          ", expected images: count, height, width; are images and "
                                          "labels exchanged?"));
  }
  if (absl::Status status = images->object.CheckSize(images->header); !status.ok()) return status;
  if (images->header.file_bytes == images->header.header_bytes) {
    return absl::InvalidArgumentError(Cat(uri, ": holds no image"));
  }
  return IdxSummary{dims[0], dims.size() == 4 ? dims[1] : 1, dims[dims.size() - 2], dims.back()};
}

absl::Status CheckLabels(const std::string& uri, const std::string& images_uri, uint64_t samples,
                         int64_t classes, const blob::StoreSettings& settings) {
  absl::StatusOr<OpenedIdx> labels = OpenIdx(uri, settings);
  if (!labels.ok()) return labels.status();
  if (labels->header.dims.size() != 1) {
    return absl::InvalidArgumentError(Cat(uri, ": found ", labels->header.dims.size(),
                                          " dimensions, expected 1: a label per image; are images "
                                          "and labels exchanged?"));
  }
  if (labels->header.dims[0] != samples) {
    return absl::InvalidArgumentError(Cat(uri, ": found ", labels->header.dims[0],
                                          " labels, expected ", samples, ", one for each image of ",
                                          images_uri));
  }
  uint64_t index = 0, wrong_at = 0;
  int wrong = -1;
  absl::Status read = labels->object.ReadElements(labels->header, [&](std::string_view part) {
    for (char c : part) {
      int label = static_cast<uint8_t>(c);
      if (label >= classes && wrong < 0) wrong = label, wrong_at = index;
      ++index;
    }
  });
  if (!read.ok()) return read;
  if (wrong < 0) return absl::OkStatus();
  return absl::InvalidArgumentError(Cat(uri, ": found label ", wrong, " at index ", wrong_at,
                                        ", expected 0 to ", classes - 1, " (spec.data.classes)"));
}

}  // namespace

absl::StatusOr<IdxSummary> CheckIdxPair(const config::IdxPair& pair, const std::string& key,
                                        int64_t classes, const blob::StoreSettings& settings) {
  absl::StatusOr<IdxSummary> images = CheckImages(pair.images, settings);
  if (!images.ok()) return Under(key + ".images", images.status());
  absl::Status labels = CheckLabels(pair.labels, pair.images, images->samples, classes, settings);
  if (!labels.ok()) return Under(key + ".labels", labels);
  return images;
}

}  // namespace coxswain::trainer::task
