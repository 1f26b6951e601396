// A sharded optimizer (ZeRO stage 1): what a step does beside, and how the ranks of a new group
// come to one state again, of which each has a part alone (shard_census.h).
#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>

#include "common/base/clock.h"
#include "trainer/engine/training/training_engine.h"

namespace coxswain::trainer::engine {
namespace {

constexpr uint64_t kSpreadBytes = 16 << 20;

const char* BytesOf(const at::Tensor& tensor) {
  return static_cast<const char*>(tensor.const_data_ptr());
}

}  // namespace

std::vector<blob::Piece> TrainingEngine::Share() const {
  const base::Rank rank = group_ == nullptr ? 0 : group_->rank();
  const uint32_t size = group_ == nullptr ? 1 : group_->size();
  if (!Sharded()) return blob::ShareOf(state_info_, rank, size);
  std::vector<blob::TensorInfo> everywhere;
  std::vector<size_t> places;
  std::vector<blob::Piece> pieces;
  for (size_t i = 0; i < state_.size(); ++i) {
    if (!IsPart(i)) {
      everywhere.push_back(state_info_[i]);
      places.push_back(i);
    } else if (state_[i].tensor.numel() > 0) {
      pieces.push_back({i, state_[i].offset, state_[i].tensor.nbytes()});
    }
  }
  for (blob::Piece piece : blob::ShareOf(everywhere, rank, size)) {
    piece.tensor = places[piece.tensor];
    pieces.push_back(piece);
  }
  std::sort(pieces.begin(), pieces.end(),
            [](const blob::Piece& a, const blob::Piece& b) { return a.tensor < b.tensor; });
  return pieces;
}

void TrainingEngine::HoldState() {
  const std::vector<StatePart>& parts = optimizer_->state();
  for (size_t i = 0; i < parts.size(); ++i) {
    state_[model_tensors_ + i] = {
        parts[i].values, static_cast<uint64_t>(parts[i].begin * parts[i].values.element_size())};
  }
  updated_by_.assign(group_->size(), {});
  for (uint32_t rank = 0; rank < group_->size(); ++rank) {
    for (const Slice& slice : SlicesOf(model_->parameters(), rank, group_->size())) {
      const at::Tensor parameter = model_->parameters()[slice.parameter].tensor.detach();
      updated_by_[rank].push_back(PartOf(parameter, slice));
    }
  }
}

void TrainingEngine::MakeShard() {
  optimizer_.reset();
  optimizer_ =
      std::make_unique<Optimizer>(settings_.spec.train.optimizer, model_->parameters(),
                                  SlicesOf(model_->parameters(), group_->rank(), group_->size()));
  HoldState();
}

// All ranks have the same sums of the gradients: each has updated its part, and takes the others'.
void TrainingEngine::ShareUpdate(StepResult& result) {
  unfinished_ = Unfinished{result.step, result.position, result.learning_rate,
                           UpdateStage::kUpdated, Gradients()};
  if (settings_.at_update) settings_.at_update(UpdateMoment::kUpdated);
  const base::Time begun = base::MonotonicNow();
  SetPhase(protocol::Phase::kAllReduce);
  group_->AllGather(updated_by_);
  SetPhase(protocol::Phase::kOptimizer);
  result.all_reduce += base::MonotonicNow() - begun;
  if (settings_.at_update) settings_.at_update(UpdateMoment::kGathered);
}

absl::StatusOr<std::vector<RankStanding>> TrainingEngine::TellStandings() {
  const auto size = static_cast<int64_t>(group_->size());
  at::Tensor told = at::zeros({7, size}, at::kLong);
  at::Tensor own = told.select(1, group_->rank());
  const std::vector<int64_t> values = {
      model_hash_,
      has_state_ || unfinished_ ? 1 : 0,
      unfinished_ ? unfinished_->step : step_,
      static_cast<int64_t>(unfinished_ ? unfinished_->stage : UpdateStage::kDone),
      static_cast<int64_t>(shard_.split),
      shard_.parts,
      shard_.part};
  own.copy_(at::tensor(values, at::kLong));
  group_->AllReduce(told)->Wait();
  if (absl::Status same = CheckSameFile(told[0]); !same.ok()) return same;
  std::vector<RankStanding> ranks(group_->size());
  for (uint32_t rank = 0; rank < group_->size(); ++rank) {
    auto value = [&](int64_t row) { return told[row][rank].item<int64_t>(); };
    ranks[rank] = {value(1) != 0,
                   value(2),
                   static_cast<UpdateStage>(value(3)),
                   {static_cast<uint64_t>(value(4)), static_cast<uint32_t>(value(5)),
                    static_cast<uint32_t>(value(6))}};
  }
  return ranks;
}

absl::Status TrainingEngine::AgreeOnShards(const Restore& restore) {
  at::NoGradGuard no_grad;
  absl::StatusOr<std::vector<RankStanding>> ranks = TellStandings();
  if (!ranks.ok()) return ranks.status();
  const ShardCensus census = TakeCensus(*ranks);
  if (census.verdict != ShardCensus::Verdict::kWhole) {
    return RestoreShards(restore, census.verdict == ShardCensus::Verdict::kLost);
  }
  FinishStep(census);
  return absl::OkStatus();
}

// From a checkpoint, or from the start. `lost`: ranks have a state that is of no more use.
absl::Status TrainingEngine::RestoreShards(const Restore& restore, bool lost) {
  std::unique_ptr<SavedState> saved;
  absl::Status restored;
  // [0: go on, 1: restore failed; whether there is a state; step; position]
  at::Tensor header = at::zeros({4}, at::kLong);
  if (group_->rank() == 0) {
    auto given = restore();
    restored = given.status();
    if (restored.ok()) saved = *std::move(given);
    if (saved != nullptr) restored = Match(*saved).status();
    header[0] = restored.ok() ? 0 : 1;
    if (saved != nullptr) {
      header[1] = 1;
      header[2] = saved->step;
      header[3] = saved->position;
    }
  }
  group_->Broadcast(header, 0);
  if (header[0].item<int64_t>() != 0) {
    return restored.ok() ? absl::UnavailableError("rank 0 could not restore a checkpoint")
                         : restored;
  }
  // Until all of it has arrived this rank has nothing.
  shard_ = {};
  unfinished_.reset();
  if (lost) BeginAnew();
  MakeShard();
  if (saved != nullptr) restored = TakeOver(*saved);
  if (!restored.ok()) return restored;
  has_state_ = false;
  AgreeOnNoise(0);
  AgreeOnEvaluations(0);
  AgreeOnMemory(0);
  const bool any = header[1].item<int64_t>() != 0;  // otherwise the same seed gave the same model
  for (size_t i = 0; any && i < state_.size(); ++i) {
    if (!IsPart(i)) group_->Broadcast(state_[i].tensor, 0);
  }
  if (any) TakeSavedParts(saved.get());
  step_ = header[2].item<int64_t>();
  position_ = header[3].item<int64_t>();
  has_state_ = any;
  shard_ = {generation_.value, group_->size(), group_->rank()};
  return absl::OkStatus();
}

// `saved`: rank 0's.
void TrainingEngine::TakeSavedParts(const SavedState* saved) {
  std::vector<const char*> bytes(state_.size(), nullptr);
  if (saved != nullptr) bytes = *Match(*saved);
  const std::vector<StatePart>& parts = optimizer_->state();
  for (size_t i = 0; i < parts.size(); ++i) {
    const size_t index = model_tensors_ + i;
    Spread(0, 0, state_info_[index].bytes(), bytes[index], parts[i]);
  }
}

void TrainingEngine::BeginAnew() {
  BuildModel();
  step_ = position_ = 0;
  meter_.noise().Set({});
  stopping_.Set({});
}

void TrainingEngine::FinishStep(const ShardCensus& census) {
  const bool root = group_->rank() == census.root;
  at::Tensor position = at::zeros({1}, at::kLong);
  if (root) position[0] = unfinished_ ? unfinished_->position : position_;
  group_->Broadcast(position, census.root);
  if (census.behind) CatchUp(census);
  if (!census.done) {
    SpreadParameters(census);
    if (root && average_ != nullptr && unfinished_ &&
        unfinished_->stage != UpdateStage::kAveraged) {
      average_->Update(census.step);
      unfinished_->stage = UpdateStage::kAveraged;
    }
    if (settings_.at_update) settings_.at_update(UpdateMoment::kGatheredAgain);
    for (size_t i = model_->parameters().size(); i < state_.size(); ++i) {
      if (!IsPart(i)) group_->Broadcast(state_[i].tensor, census.root);
    }
  }
  if (census.moved) Reshard(census);
  AgreeOnNoise(census.root);
  AgreeOnEvaluations(census.root);
  AgreeOnMemory(census.root);
  has_state_ = true;
  step_ = census.step;
  position_ = position[0].item<int64_t>();
  unfinished_.reset();
}

// Ranks that had not updated their part do it with the gradients of one that had.
void TrainingEngine::CatchUp(const ShardCensus& census) {
  at::Tensor rate = at::zeros({1}, at::kDouble);
  const bool root = group_->rank() == census.root;
  if (root) rate[0] = unfinished_->learning_rate;
  group_->Broadcast(rate, census.root);
  std::vector<at::Tensor> gradients;
  if (unfinished_) {
    gradients = unfinished_->gradients;
  } else {
    for (const NamedTensor& each : model_->parameters()) {
      gradients.push_back(at::empty_like(each.tensor.detach()));
    }
  }
  for (const at::Tensor& each : gradients) group_->Broadcast(each, census.root);
  const auto& holders = census.holders;
  const bool holds = std::find(holders.begin(), holders.end(), group_->rank()) != holders.end();
  if (unfinished_ || !holds) return;
  const double learning_rate = rate[0].item<double>();
  for (size_t i = 0; i < gradients.size(); ++i) {
    model_->parameters()[i].tensor.mutable_grad() = gradients[i];
  }
  optimizer_->Apply(census.step, learning_rate);
  unfinished_ = Unfinished{census.step, 0, learning_rate, UpdateStage::kHelped, gradients};
  ResetGradients();
}

// Each part of the parameters from the rank that has updated it.
void TrainingEngine::SpreadParameters(const ShardCensus& census) {
  if (!census.moved) return group_->AllGather(updated_by_);
  const std::vector<NamedTensor>& parameters = model_->parameters();
  const auto parts = static_cast<uint32_t>(census.holders.size());
  for (uint32_t part = 0; part < parts; ++part) {
    for (const Slice& slice : SlicesOf(parameters, part, parts)) {
      group_->Broadcast(PartOf(parameters[slice.parameter].tensor.detach(), slice),
                        census.holders[part]);
    }
  }
}

// The old part stays until all ranks have their new ones.
void TrainingEngine::Reshard(const ShardCensus& census) {
  const std::vector<NamedTensor>& parameters = model_->parameters();
  auto next = std::make_unique<Optimizer>(settings_.spec.train.optimizer, parameters,
                                          SlicesOf(parameters, group_->rank(), group_->size()));
  const auto parts = static_cast<uint32_t>(census.holders.size());
  const size_t kinds = next->state().size() / parameters.size();
  for (uint32_t part = 0; part < parts; ++part) {
    const uint32_t holder = census.holders[part];
    for (const Slice& slice : SlicesOf(parameters, part, parts)) {
      const auto element = static_cast<uint64_t>(parameters[slice.parameter].tensor.element_size());
      for (size_t kind = 0; kind < kinds; ++kind) {
        const size_t index = kind * parameters.size() + slice.parameter;
        const bool own = group_->rank() == holder;
        const char* from = own ? BytesOf(optimizer_->state()[index].values) : nullptr;
        Spread(holder, static_cast<uint64_t>(slice.begin) * element,
               static_cast<uint64_t>(slice.end) * element, from, next->state()[index]);
      }
    }
  }
  at::Tensor arrived = at::ones({1}, at::kLong);
  group_->AllReduce(arrived)->Wait();
  optimizer_ = std::move(next);
  shard_ = {generation_.value, group_->size(), group_->rank()};
  HoldState();
}

void TrainingEngine::Spread(uint32_t root, uint64_t begin, uint64_t end, const char* from,
                            const StatePart& to) {
  const uint64_t own_begin = static_cast<uint64_t>(to.begin * to.values.element_size());
  const uint64_t own_end = own_begin + to.values.nbytes();
  for (uint64_t at = begin; at < end; at += kSpreadBytes) {
    const uint64_t bytes = std::min(kSpreadBytes, end - at);
    at::Tensor chunk = at::zeros({static_cast<int64_t>(bytes)}, at::kByte);
    if (from != nullptr) std::memcpy(chunk.data_ptr(), from + (at - begin), bytes);
    group_->Broadcast(chunk, root);
    const uint64_t first = std::max(at, own_begin), last = std::min(at + bytes, own_end);
    if (first >= last) continue;
    std::memcpy(static_cast<char*>(to.values.data_ptr()) + (first - own_begin),
                BytesOf(chunk) + (first - at), last - first);
  }
}

}  // namespace coxswain::trainer::engine
