#include "common/config/evaluation_section.h"

#include <string>

namespace coxswain::config {
namespace {

void ReadMetric(Section& in, const Data& data, Metric* out) {
  in.Require("metric", "what evaluations are judged by: loss, accuracy or r2");
  const bool read = in.Choice<Metric>(
      "metric", {{"loss", Metric::kLoss}, {"accuracy", Metric::kAccuracy}, {"r2", Metric::kR2}},
      out);
  if (!read) return;
  const bool numbers = data.IsTable() && data.table.task == TableTask::kRegression;
  if (*out == Metric::kAccuracy && numbers) {
    in.Wrong("metric", "found accuracy, but spec.data.task is regression; expected loss or r2");
  }
  if (*out == Metric::kR2 && !numbers) {
    in.Wrong("metric",
             "found r2, which belongs to a regression (spec.data.task); expected loss or accuracy");
  }
  if (!data.HasEvaluation()) in.Wrong("metric", "needs an evaluation set (spec.data.evaluate)");
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

}  // namespace coxswain::config
