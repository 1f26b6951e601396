// One optimizer step.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "common/base/clock.h"
#include "trainer/engine/model/autocast.h"
#include "trainer/engine/optim/gradient_noise.h"
#include "trainer/engine/optim/schedule.h"
#include "trainer/engine/training/guard.h"
#include "trainer/engine/training/not_finite.h"
#include "trainer/engine/training/training_engine.h"

namespace coxswain::trainer::engine {
namespace {

at::TensorOptions Options(at::ScalarType type) { return at::TensorOptions().dtype(type); }

double NormOf(const std::vector<at::Tensor>& tensors) {
  return at::stack(at::_foreach_norm(tensors)).norm().item<double>();
}

}  // namespace

absl::StatusOr<StepResult> TrainingEngine::Step(const StepFlags& flags) {
  StepResult result;
  base::Time begin = base::MonotonicNow();
  SetPhase(protocol::Phase::kData);
  auto next = loader_->Next();
  if (!next.ok()) {
    // The others find out by this rank's end.
    LeaveGroup(group_->size() > 1);
    SetPhase(protocol::Phase::kWaiting);
    return OfData(next.status());
  }
  std::unique_ptr<data::Batch> batch = *std::move(next);
  result.data = base::MonotonicNow() - begin;
  bool alone = group_->size() == 1;
  absl::Status done = TryStep(*batch, flags, result);
  while (absl::IsResourceExhausted(done)) {
    done = PassFewer(done);
    if (!done.ok()) break;
    done = TryStep(*batch, flags, result);
  }
  if (!done.ok()) {
    if (IsLostGpu(done)) (void)batch.release();  // its memory there cannot be given back
    return LeaveFailed(done, alone);
  }
  result.most_at_once = most_at_once_;
  loader_->Recycle(std::move(batch));
  result.total = base::MonotonicNow() - begin;
  return result;
}

absl::Status TrainingEngine::TryStep(const data::Batch& batch, const StepFlags& flags,
                                     StepResult& result) {
  const bool alone = group_->size() == 1;
  summing_ = updating_ = false;
  return Guard(alone ? absl::StatusCode::kInternal : absl::StatusCode::kUnavailable, [&] {
    if (IsRecorded(batch, result)) {
      ForwardRecorded(batch, flags, result);
    } else {
      Forward(batch, flags, result);
    }
    updating_ = true;
    base::Time updating = base::MonotonicNow();
    const base::Duration waited = result.all_reduce;
    SetPhase(protocol::Phase::kOptimizer);
    result.samples = batch.global_size;
    result.loss = control_->loss_sum() / Terms(batch);
    result.agreed = control_->agreed();
    result.not_finite = control_->not_finite();
    result.step = step_ + 1;
    result.position = batch.position + batch.global_size;
    if (!result.not_finite.empty()) {
      result.loss = std::nan("");
      result.not_finite_at = WhereNotFinite(model_->parameters());
    } else {
      ApplyUpdate(result);
    }
    result.optimizer = base::MonotonicNow() - updating - (result.all_reduce - waited);
  });
}

int64_t TrainingEngine::Unit(const data::Batch& batch) const {
  const int64_t unit = micro_batch_ > 0 ? micro_batch_ : batch.rows.count;
  return most_at_once_ > 0 ? std::min(unit, most_at_once_) : unit;
}

void TrainingEngine::Forward(const data::Batch& batch, const StepFlags& flags, StepResult& result) {
  ResetGradients();
  control_->Begin(flags);
  control_->AddNoise(meter_.own());
  bool alone = group_->size() == 1, measure = meter_.Due(step_, alone);
  int64_t unit = Unit(batch);
  // A rank alone has no other's gradient to compare with: it looks at its own half-way.
  if (measure && alone && micro_batch_ == 0) unit = std::min(unit, (batch.rows.count + 1) / 2);
  at_once_ = std::min(unit, batch.rows.count);
  HalfBatch half;
  group_->MeasureBackward(measure);
  double weight = batch.share.size() > 0 ? 1.0 / Terms(batch) : 0.0;
  std::unique_ptr<Group::Pending> agreement;
  at::Tensor control;
  const RowTensors rows = RowsOf(batch);
  for (int64_t begin = 0; begin < batch.rows.count; begin += unit) {
    int64_t end = std::min(begin + unit, batch.rows.count);
    bool last = end == batch.rows.count;
    base::Time started = base::MonotonicNow();
    SetPhase(protocol::Phase::kForward);
    if (settings_.before_pass) settings_.before_pass(end - begin, false);
    if (last) group_->BeforeForward();
    at::Tensor loss_sum = ForwardMicroBatch(batch, rows.Narrow(begin, end).To(device_), begin);
    double value = loss_sum.item<double>();
    if (!std::isfinite(value) && weight > 0) control_->MarkNotFinite(group_->rank());
    if (weight > 0 && std::isfinite(value)) control_->AddLoss(value);
    if (last) {
      summing_ = !alone;
      // Summed while backward runs; the order of collectives is the same on every rank.
      control = at::from_blob(control_->data(), {static_cast<int64_t>(control_->size())},
                              Options(at::kDouble));
      agreement = group_->AllReduce(control);
      group_->BeforeBackward();
    }
    base::Time forwarded = base::MonotonicNow();
    result.forward += forwarded - started;
    SetPhase(protocol::Phase::kBackward);
    if (settings_.before_pass) settings_.before_pass(end - begin, true);
    model_->Backward(loss_sum * weight, [this] { return group_->failed(); });
    if (measure && alone && half.samples == 0 && !last && 2 * end >= batch.rows.count) {
      half = {at::_foreach_mul(Gradients(), at::Scalar(1.0)), end};
    }
    base::Time ended = base::MonotonicNow();
    const bool summed = last && group_->size() > 1;
    base::Time bucket = summed ? std::max(group_->last_bucket_at(), forwarded) : ended;
    result.backward += std::min(bucket, ended) - forwarded;
    if (summed) result.all_reduce += ended - bucket;
    if (last && settings_.spec.model.IsOwn()) RequireGradients(forwarded);
  }
  SetPhase(protocol::Phase::kAllReduce);
  base::Time waiting = base::MonotonicNow();
  agreement->Wait();
  result.all_reduce += base::MonotonicNow() - waiting;
  meter_.Told(control_->noise());
  if (measure) MeasureNoise(batch, half);
}

double TrainingEngine::Terms(const data::Batch& batch) const {
  return static_cast<double>(loss_->TermsOf(batch.global_size, batch.missing_labels));
}

void TrainingEngine::MeasureNoise(const data::Batch& batch, const HalfBatch& half) {
  at::NoGradGuard no_grad;
  auto square = [](double x) { return x * x; };
  auto samples = static_cast<double>(batch.global_size);
  NoiseMeasurement measured;
  measured.samples = measured.piece_samples = batch.global_size;
  double whole = square(GradientNorm()), own = group_->own_squares();
  if (half.samples > 0) {
    std::vector<at::Tensor> rest = at::_foreach_sub(Gradients(), half.gradients);
    own = square(NormOf(half.gradients)) + square(NormOf(rest));
    measured.piece_squares = square(static_cast<double>(half.samples)) +
                             square(samples - static_cast<double>(half.samples));
  } else {
    for (uint32_t rank = 0; rank < group_->size(); ++rank) {
      data::Share share = data::ShareOfBatch(batch.global_size, micro_batch_, rank, group_->size());
      measured.piece_squares += square(static_cast<double>(share.size()));
    }
  }
  // The gradients of a step are means over its samples.
  measured.whole = whole * square(samples);
  meter_.Measured(measured, own * square(samples));
}

RowTensors TrainingEngine::RowsOf(const data::Batch& batch) const {
  if (batch.sent != nullptr) return Prefetch::Arrived(*batch.sent);
  return RowTensors::Of(batch.rows, shape_, dtype_);
}

at::Tensor TrainingEngine::ForwardMicroBatch(const data::Batch& batch, const RowTensors& rows,
                                             int64_t begin) {
  bool counts = batch.share.size() > 0;
  ForwardPass pass;
  pass.training = true;
  pass.seed = settings_.spec.train.seed;
  pass.position = batch.position + batch.share.begin + begin;
  pass.statistics = counts && model_->statistics_size() > 0 ? control_->statistics() : nullptr;
  return loss_->Sum(Outputs(InputsOf(rows), pass), rows);
}

at::Tensor TrainingEngine::Outputs(const Inputs& inputs, const ForwardPass& pass) {
  const at::Tensor& any = inputs.dense.defined() ? inputs.dense : inputs.ids;
  AutocastScope mixed(settings_.spec.train.precision == config::Precision::kBf16,
                      any.device().type());
  return model_->Forward(inputs, pass).to(dtype_);
}

// Gradients are views of the reducer's buckets; a fresh one is written there (linear.h) or taken
// over by copy, which costs less than to zero it and add to it.
void TrainingEngine::ResetGradients() {
  model_->KeepGradientMemory();
  for (const NamedTensor& parameter : model_->parameters()) parameter.tensor.mutable_grad().reset();
}

std::vector<at::Tensor> TrainingEngine::Gradients() const {
  std::vector<at::Tensor> gradients;
  for (const NamedTensor& parameter : model_->parameters()) {
    gradients.push_back(parameter.tensor.grad());
  }
  return gradients;
}

void TrainingEngine::RequireGradients(base::Time backward_began) const {
  const std::string where = "spec.model: in step " + std::to_string(step_ + 1) + " ";
  constexpr char kWhy[] =
      " took no part in the loss; every parameter has to, in every step and micro-batch, or have "
      "requires_grad=False";
  for (const NamedTensor& parameter : model_->parameters()) {
    if (parameter.tensor.grad().defined()) continue;
    throw UserError(where + "the parameter '" + parameter.name + "'" + kWhy);
  }
  if (group_->size() > 1 && group_->last_bucket_at() < backward_began) {
    throw UserError(where + "a parameter" + kWhy);
  }
}

double TrainingEngine::GradientNorm() const {
  at::NoGradGuard no_grad;
  return NormOf(Gradients());
}

void TrainingEngine::ClipGradients(double norm) {
  double scale = settings_.spec.train.clip_norm / (norm + 1e-6);
  if (scale < 1) at::_foreach_mul_(Gradients(), at::Scalar(scale));
}

// With a range of batches the schedule goes by steps of the batch that it is meant for, and the
// rate is that batch's, times what a larger one is worth.
double TrainingEngine::LearningRateOf(const StepResult& result) const {
  const config::Train& train = settings_.spec.train;
  double top = train.optimizer.learning_rate;
  if (!HasBatchRange()) return LearningRate(train.schedule, top, result.step, total_steps_);
  core::TrainingPlan meant = plan_;
  meant.batch = train.global_batch_size;
  double rate = LearningRate(train.schedule, top, meant.StepsTo(result.position),
                             meant.StepsTo(meant.samples * meant.epochs));
  return rate * LearningRateGain(train.optimizer.name, std::min(plan_.batch, plan_.samples),
                                 std::min(meant.batch, meant.samples), meter_.noise().scale());
}

// Only to be told: about once a second, and for at most a hundredth of the time. A gradient that is
// none ends the job all the same, by the word of this rank alone.
bool TrainingEngine::LookAtNorm(StepResult& result) {
  const base::Time begun = base::MonotonicNow();
  if (begun < norm_due_ || result.step % settings_.spec.train.log_every_steps != 0) return true;
  result.gradient_norm = GradientNorm();
  const base::Time now = base::MonotonicNow();
  norm_due_ = now + std::max<base::Duration>(base::seconds(1), 100 * (now - begun));
  if (std::isfinite(result.gradient_norm)) return true;
  result.not_finite_at = WhereGradientNotFinite(model_->parameters());
  return result.not_finite_at.empty();
}

void TrainingEngine::ApplyUpdate(StepResult& result) {
  at::NoGradGuard no_grad;
  if (settings_.spec.train.clip_norm > 0) {
    result.gradient_norm = GradientNorm();
    if (!std::isfinite(result.gradient_norm)) {
      result.not_finite_at = WhereNotFinite(model_->parameters());
      return;
    }
    ClipGradients(result.gradient_norm);
  } else if (group_->rank() == 0 && !LookAtNorm(result)) {
    return;
  }
  result.gradient_noise = meter_.noise().scale();
  result.learning_rate = LearningRateOf(result);
  if (settings_.at_update) settings_.at_update(UpdateMoment::kSummed);
  optimizer_->Apply(result.step, result.learning_rate);
  if (model_->statistics_size() > 0) {
    model_->UpdateStatistics(control_->statistics(), static_cast<double>(result.samples));
  }
  if (Sharded() && group_->size() > 1) ShareUpdate(result);
  if (average_ != nullptr) average_->Update(result.step);
  copies_.Forget();
  step_ = result.step;
  position_ = result.position;
  unfinished_.reset();
  has_state_ = true;
}

}  // namespace coxswain::trainer::engine
