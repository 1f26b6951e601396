#include "trainer/engine/training/early_stopping.h"

#include <cmath>
#include <cstdio>

namespace coxswain::trainer::engine {
namespace {

std::string Short(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

}  // namespace

double ValueOf(config::Metric metric, const EvaluationResult& result) {
  switch (metric) {
    case config::Metric::kLoss:
      return result.loss;
    case config::Metric::kAccuracy:
      return result.accuracy;
    case config::Metric::kR2:
      return result.r2;
  }
  return result.loss;
}

std::string EarlyStopping::Take(int64_t step, const EvaluationResult& result) {
  if (!wanted()) return "";
  if (step != record_.step) {
    const double value = ValueOf(settings_.metric, result);
    const double gain =
        config::HigherIsBetter(settings_.metric) ? value - record_.best : record_.best - value;
    // A value that is no number is no better than any.
    const bool better = record_.best_step == 0 ? !std::isnan(value) : gain > settings_.min_delta;
    record_.step = step;
    ++record_.no_better;
    if (better) record_ = {step, step, value, 0};
  }
  if (record_.no_better < settings_.patience) return "";
  std::string text = "early stopping: " + std::string(config::ToString(settings_.metric));
  if (record_.best_step == 0) {
    text += " has been no number";
  } else {
    text += " has not been better than " + Short(record_.best) + " (step " +
            std::to_string(record_.best_step) + ")";
    if (settings_.min_delta > 0) text += " by more than " + Short(settings_.min_delta);
  }
  return text + " in " + std::to_string(record_.no_better) +
         (record_.no_better == 1 ? " evaluation" : " evaluations");
}

}  // namespace coxswain::trainer::engine
