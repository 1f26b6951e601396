#include "common/config/data_section.h"

#include <algorithm>
#include <initializer_list>

#include "common/config/job_parser.h"
#include "common/config/quantities.h"
#include "common/config/table_section.h"
#include "common/config/text_section.h"

namespace coxswain::config {
namespace {

constexpr int64_t kMost = 1'000'000'000;
constexpr char kFormat[] = "spec.data.format";

// Every key is read whatever the format is, so that all of them are known; those of another kind
// are refused then. `of`: the formats that have them.
void RefuseKeys(Section& in, std::initializer_list<const char*> keys, bool belong,
                const std::string& of, const std::string& format) {
  if (belong) return;
  for (const char* key : keys) {
    if (in.Has(key))
      in.WrongBy(kFormat, key, "belongs to format " + of + ", but spec.data.format is " + format);
  }
}

void ReadPair(Section& in, bool idx, IdxPair* out) {
  if (idx && !in.IsWrong(kFormat)) {
    in.Require("images", "an IDX file of images (a path, file:// or s3://)");
    in.Require("labels", "an IDX file of labels (a path, file:// or s3://)");
  }
  ReadUri(in, "images", true, &out->images);
  ReadUri(in, "labels", true, &out->labels);
}

// idx's own keys beside train and evaluate.
void ReadIdx(Section& in, Data* out) {
  in.Integer("classes", int64_t{2}, int64_t{1'000'000}, &out->classes);
  in.Real("mean", {.low = -1e6, .high = 1e6}, &out->mean);
  in.Real("std", {.low = 0, .high = 1e6, .above = true}, &out->std);
  in.Integer("limit", int64_t{0}, kMost * 1000, &out->limit);
  in.Below("augment", [&](Section& augment) {
    augment.Bool("horizontal_flip", &out->augment.horizontal_flip);
    augment.Integer("crop_padding", int64_t{0}, int64_t{1024}, &out->augment.crop_padding);
  });
}

void ReadTrainSection(Section& in, Data* out) {
  ReadPair(in, out->IsIdx(), &out->train);
  ReadTableTrain(in, !out->IsIdx(), &out->table);
  RefuseKeys(in, {"images", "labels"}, out->IsIdx(), "idx", out->format);
  RefuseKeys(in, {"files"}, !out->IsIdx(), "parquet, csv, text or tokens", out->format);
}

void ReadEvaluateSection(Section& in, Data* out) {
  IdxPair pair;
  ReadPair(in, out->IsIdx(), &pair);
  if (in.present() && out->IsIdx()) out->evaluate = std::move(pair);
  ReadTableEvaluate(in, !out->IsIdx(), &out->table);
  RefuseKeys(in, {"images", "labels"}, out->IsIdx(), "idx", out->format);
  RefuseKeys(in, {"files", "fraction"}, !out->IsIdx(), "parquet, csv, text or tokens", out->format);
}

}  // namespace

void ReadUri(Section& in, std::string_view key, bool path_too, std::string* out) {
  const std::string_view expected =
      path_too ? "a path, file:///PATH or s3://BUCKET/KEY" : "file:///PATH or s3://BUCKET/PREFIX";
  if (!in.Text(key, expected, out)) return;
  const std::string wrong = WrongUri(*out, path_too);
  if (!wrong.empty()) in.Wrong(key, wrong);
}

void ReadData(Section& in, Data* out) {
  in.Choice<std::string>("format",
                         {{"idx", "idx"},
                          {"parquet", "parquet"},
                          {"csv", "csv"},
                          {"text", "text"},
                          {"tokens", "tokens"}},
                         &out->format);
  in.Require("train",
             out->IsIdx() ? "a section with 'images' and 'labels'" : "a section with 'files'");
  in.Below("train", [&](Section& train) { ReadTrainSection(train, out); });
  in.Below("evaluate", [&](Section& evaluate) { ReadEvaluateSection(evaluate, out); });
  ReadIdx(in, out);
  ReadTable(in, *out, &out->table);
  RefuseKeys(in, {"classes", "mean", "std", "limit", "augment"}, out->IsIdx(), "idx", out->format);
  RefuseKeys(in, {"target", "task", "columns", "nulls", "nan", "standardize", "preprocessing"},
             out->IsTable(), "parquet or csv", out->format);
  RefuseKeys(in, {"buffer"}, !out->IsIdx(), "parquet, csv, text or tokens", out->format);
  ReadText(in, *out, &out->text);
  RefuseKeys(in, {"sequence_length", "tokenizer"}, out->IsText(), "text or tokens", out->format);
  RefuseKeys(in, {"end_of_text"}, out->format == "text", "text", out->format);
  RefuseKeys(in, {"vocabulary", "token_type"}, out->format == "tokens", "tokens", out->format);
  RefuseKeys(in, {"delimiter"}, out->format == "csv", "csv", out->format);
}

}  // namespace coxswain::config
