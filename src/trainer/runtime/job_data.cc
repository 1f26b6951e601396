#include "trainer/runtime/job_data.h"

#include <string>
#include <utility>

namespace coxswain::trainer {
namespace {

absl::StatusOr<data::IdxArray> ReadIdx(const std::string& uri,
                                       const blob::StoreSettings& settings) {
  absl::StatusOr<blob::ObjectAt> object = blob::OpenObject(uri, settings);
  if (!object.ok()) return object.status();
  absl::StatusOr<std::string> bytes = object->store->Get(object->name);
  if (!bytes.ok()) return bytes.status();
  return data::ParseIdx(*std::move(bytes), uri);
}

absl::StatusOr<data::ImageDataset> ReadPair(const config::IdxPair& pair, int64_t classes,
                                            int64_t limit, const blob::StoreSettings& settings) {
  absl::StatusOr<data::IdxArray> images = ReadIdx(pair.images, settings);
  if (!images.ok()) return images.status();
  absl::StatusOr<data::IdxArray> labels = ReadIdx(pair.labels, settings);
  if (!labels.ok()) return labels.status();
  return data::ImageDataset::Make(*std::move(images), pair.images, *std::move(labels), pair.labels,
                                  classes, limit);
}

}  // namespace

absl::StatusOr<std::unique_ptr<JobData>> ReadJobData(const config::Data& spec,
                                                     const blob::StoreSettings& settings) {
  auto out = std::make_unique<JobData>();
  absl::StatusOr<data::ImageDataset> train =
      ReadPair(spec.train, spec.classes, spec.limit, settings);
  if (!train.ok()) return train.status();
  out->train = *std::move(train);
  if (!spec.evaluate) return out;
  absl::StatusOr<data::ImageDataset> evaluate = ReadPair(*spec.evaluate, spec.classes, 0, settings);
  if (!evaluate.ok()) return evaluate.status();
  out->evaluate = *std::move(evaluate);
  return out;
}

}  // namespace coxswain::trainer
