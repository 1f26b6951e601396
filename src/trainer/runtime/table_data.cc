#include "trainer/runtime/table_data.h"

#include <utility>
#include <vector>

#include "common/log/log.h"
#include "trainer/blob/data_errors.h"
#include "trainer/blob/text.h"
#include "trainer/engine/data/table/column_choice.h"
#include "trainer/engine/data/table/preprocessing.h"
#include "trainer/engine/data/table/preprocessing_fit.h"
#include "trainer/engine/data/table/table_dataset.h"
#include "trainer/engine/data/table/table_source.h"
#include "trainer/runtime/table_files.h"

namespace coxswain::trainer {
namespace {

using blob::Cat;
using blob::UnderKey;
using data::Preprocessing;
using data::TableSource;

constexpr char kTrainKey[] = "spec.data.train.files";
constexpr char kEvaluateKey[] = "spec.data.evaluate.files";
constexpr char kFractionKey[] = "spec.data.evaluate.fraction";
constexpr char kPreprocessingKey[] = "spec.data.preprocessing";

absl::StatusOr<data::TableFiles> Open(const std::vector<std::string>& uris, const char* key,
                                      const config::Data& spec,
                                      const blob::StoreSettings& settings) {
  auto files = OpenTableFiles(uris, spec, false, settings);
  if (files.ok() || absl::IsUnimplemented(files.status())) return files;
  return UnderKey(key, files.status());
}

class Reading {
 public:
  Reading(const config::Data& spec, const JobPlace& place, const blob::StoreSettings& settings)
      : spec_(spec), place_(place), settings_(settings) {}

  absl::StatusOr<std::unique_ptr<JobData>> Run() {
    absl::Status done = OpenTraining();
    if (done.ok()) done = FindPreprocessing();
    if (!done.ok()) return done;
    auto out = std::make_unique<JobData>();
    out->preprocessing = ToJson(*preprocessing_);
    log::Info("data: " + preprocessing_->Summary());
    auto train = data::MakeTableDataset(train_, preprocessing_, std::move(groups_));
    if (!train.ok()) return train.status();
    out->train = *std::move(train);
    if (!spec_.table.evaluates()) return out;
    auto source = OpenEvaluation();
    if (!source.ok()) return source.status();
    auto evaluate = data::MakeTableDataset(*std::move(source), preprocessing_, {});
    if (!evaluate.ok()) return evaluate.status();
    out->evaluate = *std::move(evaluate);
    return out;
  }

 private:
  absl::Status OpenTraining() {
    auto files = Open(spec_.table.files, kTrainKey, spec_, settings_);
    if (!files.ok()) return files.status();
    auto columns = data::ChooseColumns(spec_.table, *files->front());
    if (!columns.ok()) return columns.status();
    for (const auto& file : *files) {
      absl::Status same = CheckSameColumns(*columns, *files->front(), *file);
      if (!same.ok()) return UnderKey(kTrainKey, same);
    }
    const data::RowChoice choice{spec_.table.evaluate_fraction, false};
    train_ = std::make_shared<TableSource>(kTrainKey, *std::move(files), *std::move(columns),
                                           spec_.table, choice);
    if (train_->size() > 0) return absl::OkStatus();
    return absl::FailedPreconditionError(Cat(kTrainKey, ": the files hold no row to train on"));
  }

  absl::StatusOr<std::shared_ptr<const TableSource>> OpenEvaluation() {
    data::TableFiles files = train_->files();
    if (!spec_.table.evaluate_files.empty()) {
      auto opened = Open(spec_.table.evaluate_files, kEvaluateKey, spec_, settings_);
      if (!opened.ok()) return opened.status();
      files = *std::move(opened);
      for (const auto& file : files) {
        absl::Status same = CheckSameColumns(train_->columns(), *train_->files().front(), *file);
        if (!same.ok()) return UnderKey(kEvaluateKey, same);
      }
    }
    const bool split = spec_.table.evaluate_fraction > 0;
    auto source = std::make_shared<TableSource>(
        split ? kFractionKey : kEvaluateKey, std::move(files), train_->columns(), spec_.table,
        data::RowChoice{spec_.table.evaluate_fraction, split});
    if (source->size() > 0) return source;
    return absl::FailedPreconditionError(
        Cat(source->key(), ": gives no row to evaluate on, of ", train_->size(), " for training"));
  }

  absl::Status FindPreprocessing() {
    if (!spec_.table.preprocessing.empty()) return TakeGiven();
    if (place_.store.empty()) return Fit();
    auto store = blob::OpenStore(place_.store, settings_);
    if (!store.ok()) return store.status();
    const std::string name = Cat(place_.folder, "/preprocessing.json");
    auto stored = (*store)->Get(name);
    if (absl::IsNotFound(stored.status())) {
      if (absl::Status fitted = Fit(); !fitted.ok()) return fitted;
      absl::Status put = (*store)->PutIfAbsent(name, ToJson(*preprocessing_));
      if (!absl::IsAlreadyExists(put)) return put;
      stored = (*store)->Get(name);  // another rank was quicker
    }
    if (!stored.ok()) return stored.status();
    return TakeStored(*stored, Cat((*store)->uri(), "/", name));
  }

  absl::Status Fit() {
    std::function<void(data::GroupValues)> keep;
    if (FitsInMemory(*train_)) {
      keep = [this](data::GroupValues values) { groups_.push_back(std::move(values)); };
    }
    auto fitted = FitPreprocessing(*train_, keep);
    if (!fitted.ok()) return fitted.status();
    for (const std::string& warning : fitted->warnings) log::Warn(warning);
    preprocessing_ = std::make_shared<Preprocessing>(*std::move(fitted));
    return absl::OkStatus();
  }

  absl::Status TakeGiven() {
    const std::string& uri = spec_.table.preprocessing;
    auto object = blob::OpenObject(uri, settings_);
    if (!object.ok()) return UnderKey(kPreprocessingKey, object.status());
    auto text = object->store->Get(object->name);
    if (!text.ok()) return UnderKey(kPreprocessingKey, text.status());
    auto parsed = data::ParsePreprocessing(*text);
    if (!parsed.ok()) {
      return UnderKey(Cat(kPreprocessingKey, ": ", uri), parsed.status());
    }
    std::string other = WhyOtherColumns(*parsed, train_->columns());
    if (!other.empty()) {
      return absl::InvalidArgumentError(Cat(kPreprocessingKey, ": ", uri, ": ", other));
    }
    preprocessing_ = std::make_shared<Preprocessing>(*std::move(parsed));
    return absl::OkStatus();
  }

  absl::Status TakeStored(const std::string& text, const std::string& uri) {
    auto parsed = data::ParsePreprocessing(text);
    std::string other = parsed.ok() ? WhyOtherColumns(*parsed, train_->columns())
                                    : std::string(parsed.status().message());
    if (!other.empty()) {
      return absl::FailedPreconditionError(
          Cat(kTrainKey, ": the job's preprocessing (", uri, ") does not fit its data: ", other));
    }
    if (std::string changed = WhatChanged(*parsed, *train_); !changed.empty()) {
      log::Warn(Cat("the data has changed since this job worked out its preprocessing: ", changed,
                    "; the stored means, categories and classes (", uri,
                    ") are used as they are, and rows come in another order than before"));
    }
    preprocessing_ = std::make_shared<Preprocessing>(*std::move(parsed));
    return absl::OkStatus();
  }

  const config::Data& spec_;
  const JobPlace& place_;
  const blob::StoreSettings& settings_;
  std::shared_ptr<const TableSource> train_;
  std::shared_ptr<const Preprocessing> preprocessing_;
  std::vector<data::GroupValues> groups_;  // read for the fit; empty: not kept
};

}  // namespace

absl::StatusOr<std::unique_ptr<JobData>> ReadTableData(const config::Data& spec,
                                                       const JobPlace& place,
                                                       const blob::StoreSettings& settings) {
  return Reading(spec, place, settings).Run();
}

std::string WhyOtherPreprocessing(const std::string& saved, const std::string& own) {
  if (saved == own) return "";
  if (saved.empty()) return "it was not trained on a table";
  if (own.empty()) return "it was trained on a table";
  auto then = data::ParsePreprocessing(saved), now = data::ParsePreprocessing(own);
  if (!then.ok() || !now.ok()) return "its preprocessing cannot be read";
  if (std::string other = WhyOtherColumns(*then, now->columns); !other.empty()) return other;
  if (then->classes != now->classes) return "it has other classes than this job's data gives";
  // How often each class is there changes nothing that a model has learnt.
  then->class_counts = now->class_counts;
  then->nulls = now->nulls;
  if (then->Describe().input == now->Describe().input &&
      then->Describe().output == now->Describe().output) {
    return "";
  }
  return "it has other means, standard deviations or categories than this job's data gives";
}

}  // namespace coxswain::trainer
