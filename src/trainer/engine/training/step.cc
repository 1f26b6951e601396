// One optimizer step, and evaluation.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "common/base/clock.h"
#include "trainer/engine/optim/schedule.h"
#include "trainer/engine/training/guard.h"
#include "trainer/engine/training/training_engine.h"

namespace coxswain::trainer::engine {
namespace {

constexpr int64_t kEvaluationRows = 500;

at::TensorOptions Options(at::ScalarType type) { return at::TensorOptions().dtype(type); }

}  // namespace

absl::StatusOr<StepResult> TrainingEngine::Step(const StepFlags& flags) {
  StepResult result;
  base::Time begin = base::MonotonicNow();
  SetPhase(protocol::Phase::kData);
  std::unique_ptr<data::Batch> batch = loader_->Next();
  result.data = base::MonotonicNow() - begin;
  bool alone = group_->size() == 1;
  absl::Status done =
      Guard(alone ? absl::StatusCode::kInternal : absl::StatusCode::kUnavailable, [&] {
        Forward(*batch, flags, result);
        base::Time updating = base::MonotonicNow();
        SetPhase(protocol::Phase::kOptimizer);
        result.samples = batch->global_size;
        result.loss = control_->loss_sum() / static_cast<double>(batch->global_size);
        result.agreed = control_->agreed();
        result.not_finite = control_->not_finite();
        result.step = step_ + 1;
        result.position = batch->position + batch->global_size;
        if (!result.not_finite.empty()) {
          result.loss = std::nan("");
        } else {
          ApplyUpdate(result);
        }
        result.optimizer = base::MonotonicNow() - updating;
      });
  if (!done.ok()) {
    LeaveGroup(!alone);
    SetPhase(protocol::Phase::kWaiting);
    return done;
  }
  loader_->Recycle(std::move(batch));
  result.total = base::MonotonicNow() - begin;
  return result;
}

void TrainingEngine::Forward(const data::Batch& batch, const StepFlags& flags, StepResult& result) {
  ResetGradients();
  control_->Begin(flags);
  int64_t unit = micro_batch_ > 0 ? micro_batch_ : batch.samples;
  double weight = batch.share.size() > 0 ? 1.0 / static_cast<double>(batch.global_size) : 0.0;
  std::unique_ptr<Group::Pending> agreement;
  at::Tensor control;
  for (int64_t begin = 0; begin < batch.samples; begin += unit) {
    int64_t end = std::min(begin + unit, batch.samples);
    bool last = end == batch.samples;
    base::Time started = base::MonotonicNow();
    SetPhase(protocol::Phase::kForward);
    if (last) group_->BeforeForward();
    at::Tensor loss_sum = ForwardMicroBatch(batch, begin, end);
    double value = loss_sum.item<double>();
    if (!std::isfinite(value) && weight > 0) control_->MarkNotFinite(group_->rank());
    if (weight > 0 && std::isfinite(value)) control_->AddLoss(value);
    if (last) {
      // Summed while backward runs; the order of collectives is the same on every rank.
      control = at::from_blob(control_->data(), {static_cast<int64_t>(control_->size())},
                              Options(at::kDouble));
      agreement = group_->AllReduce(control);
      group_->BeforeBackward();
    }
    base::Time forwarded = base::MonotonicNow();
    result.forward += forwarded - started;
    SetPhase(protocol::Phase::kBackward);
    (loss_sum * weight).backward();
    base::Time ended = base::MonotonicNow();
    base::Time bucket = last ? std::max(group_->last_bucket_at(), forwarded) : ended;
    result.backward += std::min(bucket, ended) - forwarded;
    if (last && group_->size() > 1) result.all_reduce += ended - bucket;
    if (last && group_->size() == 1) result.backward = ended - forwarded;
  }
  SetPhase(protocol::Phase::kAllReduce);
  base::Time waiting = base::MonotonicNow();
  agreement->Wait();
  result.all_reduce += base::MonotonicNow() - waiting;
}

at::Tensor TrainingEngine::Rows(const data::Batch& batch, int64_t begin, int64_t end) const {
  size_t element = dtype_ == at::kDouble ? sizeof(double) : sizeof(float);
  const char* first = batch.pixels.data() + static_cast<size_t>(begin * shape_.size()) * element;
  return at::from_blob(const_cast<char*>(first),
                       {end - begin, shape_.channels, shape_.height, shape_.width},
                       Options(dtype_));
}

at::Tensor TrainingEngine::ForwardMicroBatch(const data::Batch& batch, int64_t begin, int64_t end) {
  bool counts = batch.share.size() > 0;
  ForwardPass pass;
  pass.training = true;
  pass.seed = settings_.spec.train.seed;
  pass.position = batch.position + batch.share.begin + begin;
  pass.statistics = counts && model_->statistics_size() > 0 ? control_->statistics() : nullptr;
  at::Tensor labels = at::from_blob(const_cast<int64_t*>(batch.labels.data()) + begin,
                                    {end - begin}, Options(at::kLong));
  at::Tensor logits = model_->Forward(Rows(batch, begin, end), pass);
  return at::cross_entropy_loss(logits, labels, {}, at::Reduction::Sum);
}

// Gradients are views of the reducer's buckets; a fresh one is written there (linear.h) or taken
// over by copy, which costs less than to zero it and add to it.
void TrainingEngine::ResetGradients() {
  model_->KeepGradientMemory();
  for (const NamedTensor& parameter : model_->parameters()) parameter.tensor.mutable_grad().reset();
}

double TrainingEngine::ClipGradients() {
  std::vector<at::Tensor> gradients;
  for (const NamedTensor& parameter : model_->parameters()) {
    gradients.push_back(parameter.tensor.grad());
  }
  double norm = at::stack(at::_foreach_norm(gradients)).norm().item<double>();
  double scale = settings_.spec.train.clip_norm / (norm + 1e-6);
  if (scale < 1) at::_foreach_mul_(gradients, at::Scalar(scale));
  return norm;
}

void TrainingEngine::ApplyUpdate(StepResult& result) {
  at::NoGradGuard no_grad;
  if (settings_.spec.train.clip_norm > 0) result.gradient_norm = ClipGradients();
  const config::Train& train = settings_.spec.train;
  result.learning_rate =
      LearningRate(train.schedule, train.optimizer.learning_rate, result.step, total_steps_);
  optimizer_->Apply(result.step, result.learning_rate);
  if (model_->statistics_size() > 0) {
    model_->UpdateStatistics(control_->statistics(), static_cast<double>(result.samples));
  }
  step_ = result.step;
  position_ = result.position;
  has_state_ = true;
}

absl::StatusOr<EvaluationResult> TrainingEngine::Evaluate() {
  SetPhase(protocol::Phase::kEvaluation);
  if (sets_.evaluate == nullptr) return absl::InternalError("there is no evaluation set");
  bool alone = group_->size() == 1;
  double sums[3] = {0, 0, 0};  // loss, correct, samples
  absl::Status done =
      Guard(alone ? absl::StatusCode::kInternal : absl::StatusCode::kUnavailable, [&] {
        at::NoGradGuard no_grad;
        data::Normalizer normalizer(settings_.spec.data.mean, settings_.spec.data.std);
        data::Share share =
            data::ShareOfBatch(sets_.evaluate->size(), 0, group_->rank(), group_->size());
        for (int64_t begin = share.begin; begin < share.end; begin += kEvaluationRows) {
          EvaluateRows(normalizer, begin, std::min(begin + kEvaluationRows, share.end), sums);
        }
        group_->AllReduce(at::from_blob(sums, {3}, Options(at::kDouble)))->Wait();
      });
  if (!done.ok()) {
    LeaveGroup(!alone);
    SetPhase(protocol::Phase::kWaiting);
    return done;
  }
  return EvaluationResult{sums[0] / sums[2], sums[1] / sums[2], static_cast<int64_t>(sums[2])};
}

void TrainingEngine::EvaluateRows(const data::Normalizer& normalizer, int64_t begin, int64_t end,
                                  double* sums) {
  int64_t rows = end - begin, pixels = shape_.size();
  at::Tensor input =
      at::empty({rows, shape_.channels, shape_.height, shape_.width}, Options(dtype_));
  at::Tensor labels = at::empty({rows}, Options(at::kLong));
  for (int64_t i = 0; i < rows; ++i) {
    const uint8_t* image = sets_.evaluate->image(begin + i);
    if (dtype_ == at::kDouble) {
      normalizer.Apply(image, pixels, input.data_ptr<double>() + i * pixels);
    } else {
      normalizer.Apply(image, pixels, input.data_ptr<float>() + i * pixels);
    }
    labels.data_ptr<int64_t>()[i] = sets_.evaluate->label(begin + i);
  }
  at::Tensor logits = model_->Forward(input, ForwardPass{});
  sums[0] += at::cross_entropy_loss(logits, labels, {}, at::Reduction::Sum).item<double>();
  sums[1] += static_cast<double>(logits.argmax(1).eq(labels).sum().item<int64_t>());
  sums[2] += static_cast<double>(rows);
}

}  // namespace coxswain::trainer::engine
