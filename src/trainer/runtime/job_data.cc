#include "trainer/runtime/job_data.h"

#include <string>
#include <utility>

#include "trainer/blob/data_errors.h"
#include "trainer/blob/text.h"
#include "trainer/engine/data/image_dataset.h"
#include "trainer/runtime/table_data.h"
#include "trainer/text/job_text.h"

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
  return blob::UnderKey(key, array.status());
}

absl::StatusOr<std::unique_ptr<data::Dataset>> ReadPair(const config::IdxPair& pair,
                                                        const std::string& key,
                                                        const data::ImageSettings& images_as,
                                                        const blob::StoreSettings& settings) {
  absl::StatusOr<data::IdxArray> images = ReadIdx(pair.images, key + ".images", settings);
  if (!images.ok()) return images.status();
  absl::StatusOr<data::IdxArray> labels = ReadIdx(pair.labels, key + ".labels", settings);
  if (!labels.ok()) return labels.status();
  return data::ImageDataset::Make(*std::move(images), pair.images, *std::move(labels), pair.labels,
                                  images_as);
}

absl::StatusOr<std::unique_ptr<JobData>> ReadText(const config::Data& spec,
                                                  const blob::StoreSettings& settings) {
  auto read = text::ReadJobText(spec, settings);
  if (!read.ok()) return read.status();
  auto out = std::make_unique<JobData>();
  out->train = std::move(read->train);
  out->evaluate = std::move(read->evaluate);
  out->tokenizer_json = std::move(read->tokenizer_json);
  return out;
}

}  // namespace

absl::StatusOr<std::unique_ptr<JobData>> ReadJobData(const config::Data& spec,
                                                     const JobPlace& place,
                                                     const blob::StoreSettings& settings) {
  if (spec.IsTable()) return ReadTableData(spec, place, settings);
  if (spec.IsText()) return ReadText(spec, settings);
  auto out = std::make_unique<JobData>();
  data::ImageSettings images_as{
      spec.classes,
      spec.limit,
      spec.mean,
      spec.std,
      {.horizontal_flip = spec.augment.horizontal_flip, .crop_padding = spec.augment.crop_padding}};
  auto train = ReadPair(spec.train, "spec.data.train", images_as, settings);
  if (!train.ok()) return train.status();
  out->train = *std::move(train);
  if (!spec.evaluate) return out;
  images_as.limit = 0;
  images_as.augment = {};
  auto evaluate = ReadPair(*spec.evaluate, "spec.data.evaluate", images_as, settings);
  if (!evaluate.ok()) return evaluate.status();
  out->evaluate = *std::move(evaluate);
  return out;
}

}  // namespace coxswain::trainer
