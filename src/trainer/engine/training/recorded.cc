// Steps that the GPU has been told once and does again (CUDA graphs): forward and backward of a
// whole batch.
#include <ATen/ATen.h>

#include <cmath>

#include "common/base/clock.h"
#include "trainer/engine/training/guard.h"
#include "trainer/engine/training/training_engine.h"

namespace coxswain::trainer::engine {
namespace {

// Libraries choose their kernels and take their memory, and gradients find their places.
constexpr int kUsualStepsBefore = 3;

}  // namespace

// Only batches of the usual size: an epoch's last one, if it is smaller, goes the usual way.
bool TrainingEngine::IsRecorded(const data::Batch& batch, StepResult& result) {
  if (!record_ || group_->size() > 1) return false;
  const int64_t rows = batch.rows.count, unit = Unit(batch);
  if (rows != std::min(plan_.batch, plan_.samples)) return false;
  if (recorded_ != nullptr && recorded_->unit == unit) return true;
  if (usual_steps_++ < kUsualStepsBefore) return false;
  try {
    Record(batch, unit);
    result.notice = "forward and backward are recorded: from step " + std::to_string(step_ + 1) +
                    " on the GPU does them again by itself (spec.train.cuda_graphs)";
    return true;
  } catch (const std::exception& error) {
    if (TroubleOf(error) == DeviceTrouble::kLost) throw;
    const std::string what = error.what();
    result.notice =
        "forward and backward cannot be recorded (spec.train.cuda_graphs), and are done as "
        "without: " +
        what.substr(0, what.find('\n'));
  }
  ForgetRecorded();
  record_ = nullptr;
  return false;
}

void TrainingEngine::ForgetRecorded() {
  usual_steps_ = 0;
  if (recorded_ == nullptr) return;
  // Its gradients are in memory of its own.
  for (const NamedTensor& parameter : model_->parameters()) parameter.tensor.mutable_grad().reset();
  model_->DropGradientMemory();
  recorded_.reset();
}

void TrainingEngine::Record(const data::Batch& batch, int64_t unit) {
  const int steps = usual_steps_;
  ForgetRecorded();
  usual_steps_ = steps;
  recorded_ = std::make_unique<Recorded>();
  Recorded& r = *recorded_;
  r.unit = unit;
  const at::TensorOptions on = at::TensorOptions().device(device_);
  r.rows = RowsOf(batch).Each([&](const at::Tensor& each) {
    return at::empty(each.sizes(), on.dtype(each.scalar_type())).copy_(each);
  });
  r.weight = at::zeros({}, on.dtype(dtype_));
  r.position = at::zeros({}, on.dtype(at::kLong));
  r.replay = record_([this, &r] { PassesOf(r); });
}

// What is recorded: nothing in here waits for the GPU, comes from this step's batch or goes to the
// machine's own memory.
void TrainingEngine::PassesOf(Recorded& r) {
  for (const NamedTensor& parameter : model_->parameters()) parameter.tensor.mutable_grad().reset();
  model_->DropGradientMemory();  // the reducer's; what is recorded has memory of its own
  const int64_t count = (r.rows.labels.defined() ? r.rows.labels : r.rows.targets).size(0);
  std::vector<at::Tensor> losses, moments;
  r.moments.clear();
  for (int64_t begin = 0; begin < count; begin += r.unit) {
    const RowTensors rows = r.rows.Narrow(begin, std::min(begin + r.unit, count));
    ForwardPass pass;
    pass.training = true;
    pass.seed = settings_.spec.train.seed;
    pass.first = r.position + begin;
    pass.moments = &r.moments;
    const at::Tensor loss = loss_->Sum(Outputs(InputsOf(rows), pass), rows);
    losses.push_back(loss.detach());
    model_->Backward(loss * r.weight, [] { return false; });
  }
  r.losses = at::stack(losses);
  for (const BatchMoments& each : r.moments) moments.push_back(each.values);
  if (!moments.empty()) r.all_moments = at::cat(moments);
  r.gradients = Gradients();
}

void TrainingEngine::ForwardRecorded(const data::Batch& batch, const StepFlags& flags,
                                     StepResult& result) {
  Recorded& r = *recorded_;
  const base::Time started = base::MonotonicNow();
  SetPhase(protocol::Phase::kForward);
  control_->Begin(flags);
  at_once_ = std::min(r.unit, batch.rows.count);
  {
    at::NoGradGuard no_grad;
    const RowTensors rows = RowsOf(batch);
    const at::Tensor* from[] = {&rows.dense, &rows.ids, &rows.labels, &rows.targets};
    const at::Tensor* to[] = {&r.rows.dense, &r.rows.ids, &r.rows.labels, &r.rows.targets};
    for (int i = 0; i < 4; ++i) {
      if (to[i]->defined()) to[i]->copy_(*from[i]);
    }
    r.weight.fill_(1.0 / Terms(batch));
    r.position.fill_(batch.position + batch.share.begin);
  }
  const base::Time forwarded = base::MonotonicNow();
  result.forward += forwarded - started;
  SetPhase(protocol::Phase::kBackward);
  r.replay();
  const std::vector<NamedTensor>& parameters = model_->parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    parameters[i].tensor.mutable_grad() = r.gradients[i];
  }
  TakeRecorded(r);
  const base::Time ended = base::MonotonicNow();
  result.backward += ended - forwarded;
  SetPhase(protocol::Phase::kAllReduce);
  group_
      ->AllReduce(at::from_blob(control_->data(), {static_cast<int64_t>(control_->size())},
                                at::TensorOptions().dtype(at::kDouble)))
      ->Wait();
  result.all_reduce += base::MonotonicNow() - ended;
  meter_.Told(control_->noise());
}

// The losses and batch norm's numbers, once the GPU is done: the one wait of the step.
void TrainingEngine::TakeRecorded(const Recorded& r) {
  const at::Tensor losses = r.losses.to(at::kCPU, at::kDouble);
  for (int64_t i = 0; i < losses.numel(); ++i) {
    const double value = losses.const_data_ptr<double>()[i];
    if (std::isfinite(value)) {
      control_->AddLoss(value);
    } else {
      control_->MarkNotFinite(group_->rank());
    }
  }
  if (r.moments.empty()) return;
  const at::Tensor all = r.all_moments.to(at::kCPU);
  const double* from = all.const_data_ptr<double>();
  for (const BatchMoments& each : r.moments) {
    each.AddTo(from, control_->statistics());
    from += each.values.numel();
  }
}

}  // namespace coxswain::trainer::engine
