// The evaluation set, divided over the ranks.
#include <ATen/ATen.h>

#include <algorithm>

#include "trainer/engine/training/guard.h"
#include "trainer/engine/training/training_engine.h"

namespace coxswain::trainer::engine {
namespace {

constexpr int64_t kEvaluationRows = 500;
constexpr int64_t kEvaluationLogits = 1 << 24;  // of text: so many numbers at once

int64_t RowsAtOnce(const data::SampleShape& shape) {
  const int64_t logits = shape.sequence * shape.vocabulary;
  return logits == 0 ? kEvaluationRows
                     : std::clamp<int64_t>(kEvaluationLogits / logits, 1, kEvaluationRows);
}

}  // namespace

absl::StatusOr<EvaluationResult> TrainingEngine::Evaluate(const BestFlags& flags) {
  SetPhase(protocol::Phase::kEvaluation);
  if (sets_.evaluate == nullptr) return absl::InternalError("there is no evaluation set");
  const bool alone = group_->size() == 1;
  EvaluationResult result;
  EvaluationSums sums;
  // Summed too: the others say nothing.
  double flag[] = {flags.has_best ? 1.0 : 0.0, flags.best, static_cast<double>(flags.held_step)};
  absl::Status share;
  absl::Status done =
      Guard(absl::StatusCode::kInternal, [&] { share = EvaluateShare(&result, &sums); });
  if (done.ok()) done = share;
  if (done.ok()) {
    done = Guard(alone ? absl::StatusCode::kInternal : absl::StatusCode::kUnavailable, [&] {
      at::Tensor all = at::from_blob(sums.data(), {EvaluationSums::kCount}, at::kDouble);
      group_->AllReduce(all)->Wait();
      if (settings_.spec.checkpoint.best) {
        group_->AllReduce(at::from_blob(flag, {3}, at::kDouble))->Wait();
      }
    });
  }
  if (!done.ok()) return LeaveFailed(done, alone);
  const int64_t at_once = result.at_once;
  result = loss_->Finish(sums, sets_.train->target_std());
  result.at_once = at_once;
  result.agreed = {flag[0] > 0, flag[1], static_cast<int64_t>(flag[2])};
  if (auto best = settings_.spec.checkpoint.best) result.metric = ValueOf(*best, result);
  result.stop = stopping_.Take(step_, result);
  return result;
}

// Where memory runs out, half as many rows at a time are tried: each row's part of the sums is the
// same.
absl::Status TrainingEngine::EvaluateShare(EvaluationResult* result, EvaluationSums* sums) {
  at::NoGradGuard no_grad;
  AverageInPlace evaluated(average_.get());
  auto reader = sets_.evaluate->MakeReader({0, dtype_ == at::kDouble});
  const data::Share share =
      data::ShareOfBatch(sets_.evaluate->size(), 0, group_->rank(), group_->size());
  data::Rows rows;
  if (evaluate_at_once_ == 0) evaluate_at_once_ = RowsAtOnce(shape_);
  for (int64_t begin = share.begin; begin < share.end;) {
    const int64_t end = std::min(begin + evaluate_at_once_, share.end);
    absl::Status read = reader->Read(-1, begin, end, rows);
    if (!read.ok()) return OfData(read);
    EvaluationSums more = *sums;
    absl::Status passed = Guard(absl::StatusCode::kInternal, [&] {
      if (settings_.before_pass) settings_.before_pass(rows.count, false);
      const RowTensors views = RowTensors::Of(rows, shape_, dtype_);
      loss_->Evaluate(Outputs(InputsOf(views.To(device_)), ForwardPass{}), views, &more);
    });
    if (absl::IsResourceExhausted(passed)) {
      if (rows.count <= 1) {
        return absl::ResourceExhaustedError(std::string(passed.message()) +
                                            " (in an evaluation, with one sample at a time)");
      }
      result->at_once = evaluate_at_once_ = rows.count / 2;
      continue;
    }
    if (!passed.ok()) return passed;
    *sums = more;
    begin = end;
  }
  return absl::OkStatus();
}

}  // namespace coxswain::trainer::engine
