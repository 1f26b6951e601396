#include "trainer/engine/collective/shared_sum.h"

#include <ATen/ATen.h>
#include <c10/util/ParallelGuard.h>

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include "trainer/engine/collective/byte_stream.h"

namespace coxswain::trainer::engine {

SharedSum::SharedSum(std::unique_ptr<SharedSegment> segment, uint32_t rank, uint32_t ranks,
                     SharedSegment::Patience patience)
    : segment_(std::move(segment)), rank_(rank), ranks_(ranks), patience_(std::move(patience)) {
  patience_.given_up = [this, outer = patience_.given_up] { return given_up_ || outer(); };
  thread_ = std::thread([this] { Run(); });
}

SharedSum::~SharedSum() {
  given_up_ = true;
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

c10::intrusive_ptr<c10::ivalue::Future> SharedSum::Start(at::Tensor tensor) {
  return Enqueue([this, tensor] { return Reduce(tensor); }, {tensor});
}

c10::intrusive_ptr<c10::ivalue::Future> SharedSum::StartGather(
    std::vector<std::vector<at::Tensor>> parts) {
  return Enqueue([this, parts = std::move(parts)] { return Gather(parts); }, {});
}

c10::intrusive_ptr<c10::ivalue::Future> SharedSum::Enqueue(std::function<absl::Status()> work,
                                                           std::vector<at::Tensor> result) {
  auto future =
      c10::make_intrusive<c10::ivalue::Future>(c10::ListType::create(c10::TensorType::get()));
  {
    std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(work), std::move(result), future});
  }
  changed_.notify_one();
  return future;
}

void SharedSum::Run() {
  at::NoGradGuard no_grad;
  c10::ParallelGuard no_threads_of_its_own(true);
  absl::Status status;
  for (;;) {
    Task task;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      task = std::move(waiting_.front());
      waiting_.pop_front();
    }
    if (status.ok()) {
      try {
        status = task.work();
      } catch (const std::exception& error) {
        status = absl::InternalError(error.what());
      }
    }
    if (status.ok()) {
      task.future->markCompleted(c10::IValue(std::move(task.result)));
    } else {
      segment_->Fail();
      task.future->setError(std::make_exception_ptr(
          c10::DistBackendError({__func__, __FILE__, __LINE__}, std::string(status.message()))));
    }
  }
}

absl::Status SharedSum::Reduce(const at::Tensor& tensor) {
  at::Tensor flat = tensor.view({-1});
  auto room = static_cast<int64_t>(SharedSegment::kSlotBytes) / flat.element_size();
  std::vector<Chunk> chunks;
  for (int64_t begin = 0; begin < flat.numel(); begin += room) {
    chunks.push_back({flat.narrow(0, begin, std::min(room, flat.numel() - begin)), chunks_++});
  }
  // Three chunks are under way at a time, so that no rank waits for each word of another.
  absl::Status status;
  for (size_t turn = 0; turn < chunks.size() + 2 && status.ok(); ++turn) {
    if (turn < chunks.size()) status = Publish(chunks[turn]);
    if (status.ok() && turn >= 1 && turn - 1 < chunks.size()) status = SumPart(chunks[turn - 1]);
    if (status.ok() && turn >= 2) status = Take(chunks[turn - 2]);
  }
  return status;
}

absl::Status SharedSum::Gather(const std::vector<std::vector<at::Tensor>>& parts) {
  std::vector<ByteStream> streams;
  uint64_t most = 0;
  for (const std::vector<at::Tensor>& each : parts) {
    streams.emplace_back(each);
    most = std::max(most, streams.back().left());
  }
  const uint64_t count = (most + SharedSegment::kSlotBytes - 1) / SharedSegment::kSlotBytes;
  const uint32_t first = chunks_;
  chunks_ += static_cast<uint32_t>(count);
  // One chunk is put out while the others take the one before.
  for (uint32_t turn = 0; turn <= count; ++turn) {
    if (turn < count) {
      const uint32_t chunk = first + turn;
      absl::Status free =
          segment_->Await(ChunkStage::kTaken, chunk + 1 - SharedSegment::kSlots, patience_);
      if (!free.ok()) return free;
      streams[rank_].Read(SharedSegment::kSlotBytes, segment_->slot(rank_, chunk));
      segment_->Advance(ChunkStage::kPublished, chunk + 1);
    }
    if (turn == 0) continue;
    const uint32_t chunk = first + turn - 1;
    absl::Status there = segment_->Await(ChunkStage::kPublished, chunk + 1, patience_);
    if (!there.ok()) return there;
    for (uint32_t rank = 0; rank < ranks_; ++rank) {
      if (rank == rank_) continue;
      streams[rank].Write(SharedSegment::kSlotBytes, segment_->slot(rank, chunk));
    }
    segment_->Advance(ChunkStage::kSummed, chunk + 1);
    segment_->Advance(ChunkStage::kTaken, chunk + 1);
  }
  return absl::OkStatus();
}

absl::Status SharedSum::Publish(const Chunk& chunk) {
  // The slot is free once all have taken what it held. (Counts may go round.)
  uint32_t free_at = chunk.index + 1 - SharedSegment::kSlots;
  absl::Status status = segment_->Await(ChunkStage::kTaken, free_at, patience_);
  if (!status.ok()) return status;
  for (uint32_t rank = 0; rank < ranks_; ++rank) {
    if (rank != rank_) SharedPart(chunk, rank, rank_).copy_(OwnPart(chunk, rank));
  }
  segment_->Advance(ChunkStage::kPublished, chunk.index + 1);
  return absl::OkStatus();
}

absl::Status SharedSum::SumPart(const Chunk& chunk) {
  absl::Status status = segment_->Await(ChunkStage::kPublished, chunk.index + 1, patience_);
  if (!status.ok()) return status;
  at::Tensor own = OwnPart(chunk, rank_);
  auto part_of = [&](uint32_t rank) {
    return rank == rank_ ? own : SharedPart(chunk, rank_, rank);
  };
  at::Tensor total = SharedPart(chunk, rank_, rank_);
  at::add_out(total, part_of(0), part_of(1));
  for (uint32_t rank = 2; rank < ranks_; ++rank) total.add_(part_of(rank));
  own.copy_(total);
  segment_->Advance(ChunkStage::kSummed, chunk.index + 1);
  return absl::OkStatus();
}

absl::Status SharedSum::Take(const Chunk& chunk) {
  absl::Status status = segment_->Await(ChunkStage::kSummed, chunk.index + 1, patience_);
  if (!status.ok()) return status;
  for (uint32_t rank = 0; rank < ranks_; ++rank) {
    if (rank != rank_) OwnPart(chunk, rank).copy_(SharedPart(chunk, rank, rank));
  }
  segment_->Advance(ChunkStage::kTaken, chunk.index + 1);
  return absl::OkStatus();
}

at::Tensor SharedSum::OwnPart(const Chunk& chunk, uint32_t rank) const {
  int64_t size = chunk.values.numel();
  int64_t begin = size * rank / ranks_, end = size * (rank + 1) / ranks_;
  return chunk.values.narrow(0, begin, end - begin);
}

at::Tensor SharedSum::SharedPart(const Chunk& chunk, uint32_t rank, uint32_t holder) const {
  int64_t size = chunk.values.numel();
  int64_t begin = size * rank / ranks_, end = size * (rank + 1) / ranks_;
  std::byte* first = segment_->slot(holder, chunk.index) +
                     static_cast<size_t>(begin) * chunk.values.element_size();
  return at::from_blob(first, {end - begin}, chunk.values.options());
}

}  // namespace coxswain::trainer::engine
