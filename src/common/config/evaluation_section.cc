#include "common/config/evaluation_section.h"

#include <string>

namespace coxswain::config {
namespace {

bool ReadMetric(Section& in, const Data& data, Metric* out) {
  in.Require("metric", "what evaluations are judged by: loss, accuracy or r2");
  const bool read = in.Choice<Metric>(
      "metric", {{"loss", Metric::kLoss}, {"accuracy", Metric::kAccuracy}, {"r2", Metric::kR2}},
      out);
  if (!read) return false;
  const bool numbers = data.IsTable() && data.table.task == TableTask::kRegression;
  if (*out == Metric::kAccuracy && numbers) {
    in.Wrong("metric", "found accuracy, but spec.data.task is regression; expected loss or r2");
  }
  if (*out == Metric::kR2 && !numbers) {
    in.Wrong("metric",
             "found r2, which belongs to a regression (spec.data.task); expected loss or accuracy");
  }
  if (!data.HasEvaluation()) in.Wrong("metric", "needs an evaluation set (spec.data.evaluate)");
  return true;
}

}  // namespace

void ReadEarlyStopping(Section& train, const Data& data, EarlyStopping* out) {
  train.Below("early_stopping", [&](Section& in) {
    ReadMetric(in, data, &out->metric);
    in.Require("patience", "a number of evaluations, such as 5");
    in.Integer("patience", int64_t{1}, int64_t{1'000'000}, &out->patience);
    in.Real("min_delta", {.low = 0, .high = 1e9}, &out->min_delta);
  });
}

void ReadBest(Section& checkpoint, bool own_program, const Data& data, Checkpoint* out) {
  if (checkpoint.Has("best") && own_program) {
    checkpoint.Wrong("best", "belongs to recipes: a program of your own judges for itself");
  }
  checkpoint.Below("best", [&](Section& in) {
    Metric metric = Metric::kLoss;
    if (ReadMetric(in, data, &metric)) out->best = metric;
    in.Bool("export", &out->export_best);
  });
}

}  // namespace coxswain::config
