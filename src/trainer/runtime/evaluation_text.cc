#include "trainer/runtime/evaluation_text.h"

#include <cmath>
#include <cstdio>

namespace coxswain::trainer {
namespace {

std::string Fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

}  // namespace

std::string EvaluationsText(const engine::EvaluationRecord& record) {
  char text[120];
  std::snprintf(text, sizeof text, "%lld %lld %.17g %lld", static_cast<long long>(record.step),
                static_cast<long long>(record.best_step), record.best,
                static_cast<long long>(record.no_better));
  return text;
}

std::string EvaluationText(const engine::EvaluationResult& result) {
  std::string text = "loss " + Fixed(result.loss, 4);
  const char* of = " samples";
  if (result.accuracy < 0) {
    text += ", R2 " + Fixed(result.r2, 4) + ", mean squared error " + Fixed(result.mse, 6);
  } else {
    text += ", accuracy " + Fixed(result.accuracy * 100, 2) + " %";
  }
  if (result.perplexity > 0) {
    text += " of tokens, perplexity " + Fixed(result.perplexity, 3);
    of = " windows";
  }
  return text + ", on " + std::to_string(result.samples) + of;
}

engine::EvaluationRecord ParseEvaluations(const std::string& text) {
  long long step = 0, best_step = 0, no_better = 0;
  double best = 0;
  if (std::sscanf(text.c_str(), "%lld %lld %lg %lld", &step, &best_step, &best, &no_better) != 4 ||
      !std::isfinite(best) || step < 1 || best_step < 0 || no_better < 0) {
    return {};
  }
  return {step, best_step, best, no_better};
}

}  // namespace coxswain::trainer
