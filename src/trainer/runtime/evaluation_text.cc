#include "trainer/runtime/evaluation_text.h"

#include <cmath>
#include <cstdio>

namespace coxswain::trainer {

std::string EvaluationsText(const engine::EvaluationRecord& record) {
  char text[120];
  std::snprintf(text, sizeof text, "%lld %lld %.17g %lld", static_cast<long long>(record.step),
                static_cast<long long>(record.best_step), record.best,
                static_cast<long long>(record.no_better));
  return text;
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
