#include "coordinator/core/scheduling/speed_model.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace coxswain::coordinator::core {
namespace {

using Parts = StepParts;
constexpr size_t kParts = kStepParts;
using Squares = std::array<Parts, kParts>;

// What a part is of a step where nothing is known yet, and how much that weighs against one
// measurement.
constexpr Parts kUsual = {0.1, 0.9, 0.1, 0.2, 0};
constexpr double kDoubt = 1e-3;

// By elimination; those not used are 0.
Parts Solve(Squares a, Parts b, const std::array<bool, kParts>& used) {
  for (size_t i = 0; i < kParts; ++i) {
    if (!used[i]) continue;
    for (size_t k = i + 1; k < kParts; ++k) {
      if (!used[k]) continue;
      double factor = a[k][i] / a[i][i];
      for (size_t m = i; m < kParts; ++m) a[k][m] -= factor * a[i][m];
      b[k] -= factor * b[i];
    }
  }
  Parts x{};
  for (size_t i = kParts; i-- > 0;) {
    if (!used[i]) continue;
    x[i] = b[i];
    for (size_t m = i + 1; m < kParts; ++m) x[i] -= used[m] ? a[i][m] * x[m] : 0;
    x[i] /= a[i][i];
  }
  return x;
}

// What each part of the step is multiplied with.
Parts Shares(uint32_t nodes, uint32_t workers, int64_t batch) {
  bool local = workers > 1 && nodes <= 1;
  bool remote = workers > 1 && nodes > 1;
  return {1, static_cast<double>(batch) / workers, local ? 1.0 : 0.0, remote ? 1.0 : 0.0,
          workers > 2 ? workers - 2.0 : 0.0};
}

// Least squares of relative errors, each part drawn a little to what it usually is; in units of
// `scale`, which is 0 of parts that are in no row. Parts that would be below 0 are left out, the
// worst first.
Parts Fit(const std::vector<Parts>& rows, const Parts& scale) {
  Squares squares{};
  Parts wanted{};
  for (size_t i = 0; i < kParts; ++i) {
    squares[i][i] = kDoubt;
    wanted[i] = kDoubt * kUsual[i];
    for (const Parts& row : rows) {
      double share = scale[i] == 0 ? 0 : row[i] / scale[i];
      wanted[i] += share;
      for (size_t k = 0; k < kParts; ++k) {
        squares[i][k] += scale[k] == 0 ? 0 : share * row[k] / scale[k];
      }
    }
  }
  std::array<bool, kParts> used;
  for (size_t i = 0; i < kParts; ++i) used[i] = scale[i] > 0;
  Parts x = Solve(squares, wanted, used);
  while (true) {
    size_t worst = std::min_element(x.begin(), x.end()) - x.begin();
    if (x[worst] >= 0) break;
    used[worst] = false;
    x = Solve(squares, wanted, used);
  }
  return x;
}

}  // namespace

void Measure(Speed* speed, const StepTime& step) {
  auto key = [](const StepTime& s) { return std::tuple(s.nodes, s.workers, s.batch); };
  auto at = std::lower_bound(speed->steps.begin(), speed->steps.end(), step,
                             [&](const auto& a, const auto& b) { return key(a) < key(b); });
  if (at != speed->steps.end() && key(*at) == key(step)) {
    at->seconds = step.seconds;
    return;
  }
  at = speed->steps.insert(at, step);
  if (speed->steps.size() <= kMostStepTimes) return;
  // Two neighbours say nearly the same.
  auto kept = at - speed->steps.begin();
  speed->steps.erase(speed->steps.begin() + (kept == 0 ? 1 : kept - 1));
}

SpeedModel::SpeedModel(const Speed& speed, const JobRequest& request)
    : batch_(request.batch),
      max_batch_(std::max(request.batch, request.max_batch)),
      noise_(std::isfinite(speed.gradient_noise) ? std::max(0.0, speed.gradient_noise) : 0) {
  std::vector<Parts> rows;  // of each measured step: the parts times this are to sum up to 1
  double least = std::numeric_limits<double>::infinity();
  Parts scale{};  // of a part that made up the whole step
  for (const StepTime& step : speed.steps) {
    if (!(step.seconds > 0) || !std::isfinite(step.seconds) || step.batch <= 0) continue;
    Parts row = Shares(step.nodes, step.workers, step.batch);
    for (size_t i = 0; i < kParts; ++i) {
      row[i] /= step.seconds;
      scale[i] = std::max(scale[i], row[i]);
    }
    rows.push_back(row);
    sizes_.push_back(step.workers);
    if (request.batch <= 0) batch_ = max_batch_ = step.batch;  // it does not tell
    least = std::min(least, step.seconds);
  }
  std::sort(sizes_.begin(), sizes_.end());
  sizes_.erase(std::unique(sizes_.begin(), sizes_.end()), sizes_.end());
  known_ = !rows.empty();
  if (!known_) return;
  Parts x = Fit(rows, scale);
  for (size_t i = 0; i < kParts; ++i) parts_[i] = scale[i] == 0 ? 0 : x[i] / scale[i];
  // What was never seen is taken for what is usual.
  if (scale[2] == 0) parts_[2] = kUsual[2] * least;
  if (scale[3] == 0) parts_[3] = std::max(parts_[2], kUsual[3] * least);
}

double SpeedModel::Seconds(uint32_t nodes, uint32_t workers, int64_t batch) const {
  Parts shares = Shares(nodes, workers, batch);
  double seconds = 0;
  for (size_t i = 0; i < kParts; ++i) seconds += shares[i] * parts_[i];
  return seconds;
}

double SpeedModel::Goodput(uint32_t nodes, uint32_t workers, int64_t batch) const {
  double seconds = Seconds(nodes, workers, batch);
  if (!known_ || seconds <= 0) return 0;
  double worth = batch == batch_ ? 1 : (noise_ + batch_) / (noise_ + batch);
  return batch / seconds * worth;
}

BatchChoice SpeedModel::Best(uint32_t nodes, uint32_t workers) const {
  // A rank without a sample would only wait.
  int64_t least = max_batch_ > batch_ ? std::max<int64_t>(batch_, workers) : batch_;
  BatchChoice best{least, Goodput(nodes, workers, least)};
  constexpr double kStep = 1.189207115002721;  // four to a doubling
  for (double next = static_cast<double>(least); next <= max_batch_ && noise_ > 0; next *= kStep) {
    auto batch = static_cast<int64_t>(next);
    double goodput = Goodput(nodes, workers, batch);
    if (goodput > best.goodput) best = {batch, goodput};
  }
  if (noise_ > 0 && max_batch_ > batch_) {
    double goodput = Goodput(nodes, workers, max_batch_);
    if (goodput > best.goodput) best = {max_batch_, goodput};
  }
  if (max_batch_ <= batch_) best.batch = 0;
  return best;
}

}  // namespace coxswain::coordinator::core
