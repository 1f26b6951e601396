#include "trainer/engine/training/training_engine.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/util/Logging.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "trainer/blob/hasher.h"
#include "trainer/engine/collective/gpu_group.h"
#include "trainer/engine/training/guard.h"
#include "trainer/engine/training/make_engine.h"
#include "trainer/engine/training/model_config.h"

namespace coxswain::trainer::engine {
namespace {

blob::DType ToDType(at::ScalarType type) {
  using blob::DType;
  switch (type) {
    case at::kBool:
      return DType::kBool;
    case at::kByte:
      return DType::kUint8;
    case at::kChar:
      return DType::kInt8;
    case at::kShort:
      return DType::kInt16;
    case at::kInt:
      return DType::kInt32;
    case at::kLong:
      return DType::kInt64;
    case at::kFloat:
      return DType::kFloat32;
    case at::kDouble:
      return DType::kFloat64;
    default:
      throw UserError(std::string("spec.model: the model holds a tensor of ") +
                      c10::toString(type) + ", which checkpoints cannot hold");
  }
}

at::ScalarType PrecisionOf(const config::JobSpec& spec) {
  return spec.train.precision == config::Precision::kFloat64 ? at::kDouble : at::kFloat;
}

blob::TensorInfo InfoOf(const NamedTensor& each) {
  return {each.name, ToDType(each.tensor.scalar_type()), each.tensor.sizes().vec()};
}

const std::string& FileOf(const EngineSettings& settings) {
  static const std::string none;
  return settings.model_file == nullptr ? none : *settings.model_file;
}

// While it lives the first tensors hold these bytes, and these those of the tensors.
class BytesInPlace {
 public:
  BytesInPlace(std::vector<at::Tensor> tensors, const std::vector<char*>& bytes)
      : tensors_(std::move(tensors)), bytes_(bytes) {
    Swap();
  }
  ~BytesInPlace() {
    try {
      Swap();
    } catch (const std::exception&) {  // the GPU is lost, and the process ends for it
    }
  }
  BytesInPlace(const BytesInPlace&) = delete;
  BytesInPlace& operator=(const BytesInPlace&) = delete;

 private:
  void Swap() {
    for (size_t i = 0; i < bytes_.size(); ++i) {
      const at::Tensor& tensor = tensors_[i];
      const at::Tensor held = tensor.detach().to(at::kCPU, tensor.scalar_type(),
                                                 /*non_blocking=*/false, /*copy=*/true);
      TakeBytes(tensor, bytes_[i]);
      std::memcpy(bytes_[i], held.const_data_ptr(), held.nbytes());
    }
  }

  const std::vector<at::Tensor> tensors_;
  const std::vector<char*>& bytes_;
};

int64_t HashOf(const std::string& file) {
  return static_cast<int64_t>(std::stoull(blob::HashHex(file), nullptr, 16));
}

// Never of the present number of ranks, nor of the present batch. So small that each of the most
// ranks there may be has one, and that the noise can be measured on one rank.
int64_t CanonicalMicroBatch(const config::JobSpec& spec) {
  const config::Train& train = spec.train;
  if (train.micro_batch_size > 0 || !spec.model.ByMicroBatch()) return train.micro_batch_size;
  int64_t parts = std::max(spec.workers, spec.max_workers);
  if (train.max_global_batch_size > 0) parts = std::max<int64_t>(2, parts);
  return std::max<int64_t>(1, train.global_batch_size / parts);
}

}  // namespace

std::unique_ptr<Engine> MakeEngine() {
  // To name the places of an error in LibTorch takes a quarter of a second, in which the other
  // ranks wait; nobody who reads a job's log is helped by them.
  c10::SetStackTraceFetcher([] { return std::string(); });
  return std::make_unique<TrainingEngine>();
}

absl::Status TrainingEngine::Prepare(const EngineSettings& settings, Datasets sets) {
  settings_ = settings;
  sets_ = sets;
  const config::Train& train = settings_.spec.train;
  shape_ = sets.train->shape();
  if (std::string wrong = CheckModel(settings_.spec.model, shape_); !wrong.empty()) {
    return absl::InvalidArgumentError(wrong);
  }
  auto weights = static_cast<int64_t>(train.class_weights.size());
  if (weights > 0 && weights != shape_.classes) {
    return absl::InvalidArgumentError("spec.train.class_weights: found " + std::to_string(weights) +
                                      " numbers, expected one for each of the " +
                                      std::to_string(shape_.classes) + " classes");
  }
  if (sets.evaluate != nullptr && sets.evaluate->shape() != sets.train->shape()) {
    return absl::FailedPreconditionError(
        "spec.data.evaluate: its samples have another shape than those of spec.data.train");
  }
  if (settings_.spec.resources.gpus > 0) {
    if (Sharded()) {
      return absl::InvalidArgumentError(
          "spec.train.optimizer.sharded: not yet for jobs that train on GPUs");
    }
    auto gpu = OpenGpu();
    if (!gpu.ok()) return gpu.status();
    gpu_ = *std::move(gpu);
    device_ = gpu_->device();
    gpu_name_ = gpu_->name();
    gpu_->AllowTf32(train.tf32);
  }
  if (train.cuda_graphs) {
    record_ = settings_.record;
    if (gpu_ != nullptr) {
      record_ = [this](const std::function<void()>& work) { return gpu_->Record(work); };
    }
  }
  if (settings_.copy_state) copies_.CopyAll();
  plan_.samples = sets.train->size();
  plan_.batch = train.global_batch_size;
  plan_.epochs = train.epochs;
  plan_.max_steps = train.max_steps;
  if (sets.evaluate != nullptr) {
    plan_.evaluate_every_epochs = train.evaluate_every_epochs;
    plan_.evaluate_every_steps = train.evaluate_every_steps;
  }
  micro_batch_ = CanonicalMicroBatch(settings_.spec);
  stopping_.Start(train.early_stopping);
  if (HasBatchRange()) meter_.Start(settings_.noise_every_steps);
  return Guard(absl::StatusCode::kInternal, [this] { BuildModel(); });
}

// Of this thread; those that LibTorch starts from it are as it is.
void TrainingEngine::SetUpThread() {
  at::set_num_threads(static_cast<int>(settings_.threads));
  // A model that has learnt its data has gradients below 1e-38, which cost a CPU three times
  // the time of others and change nothing.
  at::globalContext().setFlushDenormal(true);
  if (gpu_ == nullptr || !settings_.spec.train.cuda_graphs) return;
  // What is recorded may depend on no other stream, and the default one cannot be: all is done on
  // one of our own, the reducer's part of backward too.
  const c10::impl::VirtualGuardImpl guard(device_.type());
  if (!stream_) stream_ = guard.getStreamFromGlobalPool(device_);
  guard.exchangeStream(*stream_);
}

void TrainingEngine::BuildModel() {
  SetUpThread();
  dtype_ = PrecisionOf(settings_.spec);
  const config::Train& train = settings_.spec.train;
  loss_.emplace(shape_, ClassWeights(train, sets_.train->ClassCounts()), train.label_smoothing,
                dtype_, device_);
  if (settings_.send_batches || (gpu_ != nullptr && Prefetch::Wanted())) {
    prefetch_ = std::make_unique<Prefetch>(device_, shape_, dtype_);
  }
  model_ = MakeModel(settings_.spec.model, shape_, dtype_, train.seed, FileOf(settings_));
  if (settings_.spec.model.IsOwn()) model_hash_ = HashOf(FileOf(settings_));
  MoveModel();
  // A part of its state is made once it is known of how many.
  optimizer_ = Sharded() ? std::make_unique<Optimizer>(train.optimizer, model_->parameters(),
                                                       std::vector<Slice>())
                         : std::make_unique<Optimizer>(train.optimizer, model_->parameters());
  ListState();
}

// Made on the CPU everywhere, so that one seed gives one model.
void TrainingEngine::MoveModel() {
  if (device_.is_cpu()) return;
  at::NoGradGuard no_grad;
  for (const auto* tensors : {&model_->parameters(), &model_->buffers()}) {
    for (const NamedTensor& each : *tensors) each.tensor.set_data(each.tensor.to(device_));
  }
}

void TrainingEngine::ListState() {
  state_.clear();
  state_info_.clear();
  average_.reset();
  auto list = [this](const std::string& name, const at::Tensor& whole, const at::Tensor& held) {
    state_.push_back({held, 0});
    state_info_.push_back(InfoOf({name, whole}));
  };
  std::vector<NamedTensor> model = model_->parameters();
  model.insert(model.end(), model_->buffers().begin(), model_->buffers().end());
  model_tensors_ = model.size();
  for (const NamedTensor& each : model) list(each.name, each.tensor, each.tensor.detach());
  for (const StatePart& part : optimizer_->state()) list(part.name, part.parameter, part.values);
  if (settings_.spec.train.ema.decay <= 0) return;
  average_ = std::make_unique<WeightAverage>(settings_.spec.train.ema, model);
  for (const NamedTensor& each : average_->state()) list(each.name, each.tensor, each.tensor);
}

absl::StatusOr<ModelTensors> TrainingEngine::Inspect(const EngineSettings& settings,
                                                     const data::SampleShape& samples) {
  ModelTensors out;
  absl::Status made = Guard(absl::StatusCode::kInternal, [&] {
    std::unique_ptr<Model> model =
        MakeModel(settings.spec.model, samples, PrecisionOf(settings.spec),
                  settings.spec.train.seed, FileOf(settings));
    for (const NamedTensor& each : model->parameters()) out.parameters.push_back(InfoOf(each));
    for (const NamedTensor& each : model->buffers()) out.buffers.push_back(InfoOf(each));
  });
  if (!made.ok()) return made;
  return out;
}

const char* TrainingEngine::StateBytes(size_t index, uint64_t offset) const {
  const Held& held = state_[index];
  return copies_.Bytes(held.tensor) + (offset - held.offset);
}

const char* TrainingEngine::ModelBytes(size_t index) const {
  if (average_ == nullptr) return StateBytes(index);
  return copies_.Bytes(average_->state()[index].tensor);
}

absl::Status TrainingEngine::FetchState(bool model) {
  if (gpu_ == nullptr) return absl::OkStatus();
  return Guard(absl::StatusCode::kInternal, [&] {
    for (const blob::Piece& piece : Share()) copies_.Bytes(state_[piece.tensor].tensor);
    for (size_t i = 0; model && i < model_tensors_; ++i) ModelBytes(i);
  });
}

std::string TrainingEngine::ModelName(size_t index) const {
  return average_ != nullptr ? average_->state()[index].name : state_info_[index].name;
}

std::string TrainingEngine::ModelConfig() const {
  return DescribeModel(settings_.spec, *sets_.train, state_info_, model_tensors_);
}

absl::StatusOr<std::vector<ModelFile>> TrainingEngine::ModelFiles(
    const std::vector<char*>& instead) {
  std::vector<ModelFile> files;
  absl::Status written = Guard(absl::StatusCode::kInternal, [&] {
    at::NoGradGuard no_grad;
    AverageInPlace average(instead.empty() ? average_.get() : nullptr);
    std::vector<at::Tensor> model;
    for (size_t i = 0; i < model_tensors_; ++i) model.push_back(state_[i].tensor);
    BytesInPlace bytes_instead(std::move(model), instead);
    std::string bytes = model_->Serialized();
    if (!bytes.empty()) files.push_back({"model.pt", std::move(bytes)});
  });
  if (!written.ok()) return written;
  return files;
}

absl::StatusOr<Joined> TrainingEngine::Join(const GroupSettings& group, const Restore& restore) {
  SetUpThread();
  SetPhase(protocol::Phase::kForming);
  LeaveGroup(true);
  copies_.Forget();
  plan_.batch =
      group.global_batch > 0 ? group.global_batch : settings_.spec.train.global_batch_size;
  absl::Status formed = Guard(absl::StatusCode::kUnavailable, [&] {
    sockets_.Begin();
    GroupLimits limits{settings_.address, settings_.form_limit, settings_.collective_limit,
                       [this] { return sockets_.ended(); }};
    if (gpu_ != nullptr) {
      group_ = FormGpuGroup(group, limits, &phase_, *gpu_);
    } else {
      limits.share_memory = group.world_size > 1;
      const bool form = group.world_size > 1 || settings_.group_alone;
      group_ = form ? FormGlooGroup(group, limits, &phase_) : MakeLoneGroup();
    }
    sockets_.Settle();
  });
  absl::Status restored;
  if (formed.ok()) {
    generation_ = group.generation;
    SetPhase(protocol::Phase::kRestoring);
    told_kills_ = group.memory_kills;
    formed = Guard(absl::StatusCode::kUnavailable, [&] { restored = AgreeOnState(restore); });
  }
  if (formed.ok() && restored.ok()) {
    formed = Guard(absl::StatusCode::kUnavailable, [&] {
      WatchGradients();
      StartLoader();
    });
  }
  if (!formed.ok() || !restored.ok()) {
    return LeaveFailed(formed.ok() ? restored : formed, /*alone=*/false);
  }
  return Joined{step_, position_, plan_, most_at_once_};
}

absl::Status TrainingEngine::OfLostGpu(const std::string& error) const {
  return absl::CancelledError((gpu_name_.empty() ? "the GPU" : "the GPU " + gpu_name_) +
                              " is lost to this process, which ends: " + error);
}

absl::Status TrainingEngine::LeaveFailed(const absl::Status& failure, bool alone) {
  if (IsLostGpu(failure)) {
    sockets_.Shutdown();
  } else {
    LeaveGroup(!alone);
  }
  SetPhase(protocol::Phase::kWaiting);
  return failure;
}

void TrainingEngine::LeaveGroup(bool broken) {
  loader_.reset();
  ForgetRecorded();
  if (broken) sockets_.Shutdown();  // so that no thread of the old group waits for a peer
  if (model_ != nullptr) {
    ResetGradients();
    model_->DropGradientMemory();
  }
  group_.reset();
  sockets_.Forget();
}

void TrainingEngine::WatchGradients() {
  std::vector<at::Tensor> parameters;
  for (const NamedTensor& parameter : model_->parameters()) parameters.push_back(parameter.tensor);
  group_->Watch(parameters);
}

void TrainingEngine::Abort() { sockets_.Shutdown(); }

void TrainingEngine::StartLoader() {
  total_steps_ = std::max<int64_t>(1, step_ + plan_.RemainingSteps(step_, position_));
  control_.emplace(group_->size(), model_->statistics_size());
  data::LoaderSettings loader;
  loader.plan = plan_;
  loader.seed = settings_.spec.train.seed;
  loader.micro_batch = micro_batch_;
  loader.float64 = dtype_ == at::kDouble;
  if (prefetch_ != nullptr) {
    loader.send = [this](const data::Rows& rows) { return prefetch_->Send(rows); };
  }
  loader_ = std::make_unique<data::BatchLoader>(*sets_.train, loader, group_->rank(),
                                                group_->size(), step_, position_);
}

}  // namespace coxswain::trainer::engine
