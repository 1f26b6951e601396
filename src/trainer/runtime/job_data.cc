#include "trainer/runtime/job_data.h"

#include <string>
#include <utility>

#include "trainer/blob/text.h"

namespace coxswain::trainer {
namespace {

using blob::Cat;

absl::StatusOr<std::string> ReadObject(const std::string& uri,
                                       const blob::StoreSettings& settings) {
  absl::StatusOr<blob::ObjectAt> object = blob::OpenObject(uri, settings);
  if (!object.ok()) return object.status();
  return object->store->Get(object->name);
}

absl::StatusOr<data::IdxArray> ReadIdx(const std::string& uri, const std::string& key,
                                       const blob::StoreSettings& settings) {
  absl::StatusOr<std::string> bytes = ReadObject(uri, settings);
  absl::StatusOr<data::IdxArray> array;
  array = bytes.ok() ? data::ParseIdx(*std::move(bytes), uri) : bytes.status();
  if (array.ok()) return array;
  // The check at the submission has seen the data on one machine only.
  bool local = absl::IsNotFound(array.status()) && !uri.starts_with("s3://");
  return absl::Status(
      array.status().code(),
      Cat(key, ": ", array.status().message(),
          local ? "; a job's data has to be on every machine that may run it: copy it there, or "
                  "use s3://..., or a folder that all machines mount"
                : ""));
}

absl::StatusOr<data::ImageDataset> ReadPair(const config::IdxPair& pair, const std::string& key,
                                            int64_t classes, int64_t limit,
                                            const blob::StoreSettings& settings) {
  absl::StatusOr<data::IdxArray> images = ReadIdx(pair.images, key + ".images", settings);
  if (!images.ok()) return images.status();
  absl::StatusOr<data::IdxArray> labels = ReadIdx(pair.labels, key + ".labels", settings);
  if (!labels.ok()) return labels.status();
  return data::ImageDataset::Make(*std::move(images), pair.images, *std::move(labels), pair.labels,
                                  classes, limit);
}

}  // namespace

absl::StatusOr<std::unique_ptr<JobData>> ReadJobData(const config::Data& spec,
                                                     const blob::StoreSettings& settings) {
  auto out = std::make_unique<JobData>();
  absl::StatusOr<data::ImageDataset> train =
      ReadPair(spec.train, "spec.data.train", spec.classes, spec.limit, settings);
  if (!train.ok()) return train.status();
  out->train = *std::move(train);
  if (!spec.evaluate) return out;
  absl::StatusOr<data::ImageDataset> evaluate =
      ReadPair(*spec.evaluate, "spec.data.evaluate", spec.classes, 0, settings);
  if (!evaluate.ok()) return evaluate.status();
  out->evaluate = *std::move(evaluate);
  return out;
}

}  // namespace coxswain::trainer
