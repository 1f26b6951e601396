// The fields of a recorded struct, in order. How many it has stands here; a struct that is given
// another field does not compile until its number is changed, so that none can be forgotten.
#pragma once

#include <cstddef>
#include <type_traits>

#include "coordinator/record/recorded.h"

namespace coxswain::coordinator::record {

constexpr size_t kUnknown = static_cast<size_t>(-1);

template <class T>
constexpr size_t kFields = std::is_empty_v<T> ? 0 : kUnknown;
#define COX_FIELDS_OF(type, count) \
  template <>                      \
  inline constexpr size_t kFields<type> = count
// clang-format off
COX_FIELDS_OF(base::Time, 1);
COX_FIELDS_OF(base::WallTime, 1);
COX_FIELDS_OF(base::Deadlines, 1);
COX_FIELDS_OF(protocol::Member, 3);
COX_FIELDS_OF(protocol::RestoreCandidate, 3);
COX_FIELDS_OF(protocol::FormGeneration, 9);
COX_FIELDS_OF(protocol::CheckpointOpened, 4);
COX_FIELDS_OF(protocol::Shard, 4);
COX_FIELDS_OF(protocol::WriteManifest, 2);
COX_FIELDS_OF(protocol::CheckpointCommitted, 2);
COX_FIELDS_OF(protocol::CheckpointRefused, 4);
COX_FIELDS_OF(protocol::SaveNow, 1);
COX_FIELDS_OF(protocol::StopTraining, 2);
COX_FIELDS_OF(protocol::TrainerReady, 2);
COX_FIELDS_OF(protocol::GenerationFormed, 6);
COX_FIELDS_OF(protocol::TrainerProgress, 17);
COX_FIELDS_OF(protocol::OpenCheckpoint, 6);
COX_FIELDS_OF(protocol::ShardStored, 3);
COX_FIELDS_OF(protocol::ManifestWritten, 5);
COX_FIELDS_OF(protocol::CheckpointFailed, 4);
COX_FIELDS_OF(protocol::CollectiveFailed, 3);
COX_FIELDS_OF(protocol::TrainingFinished, 6);
COX_FIELDS_OF(protocol::TrainingFailed, 3);
COX_FIELDS_OF(protocol::MetricPoint, 6);
COX_FIELDS_OF(protocol::RankKey, 3);
COX_FIELDS_OF(protocol::ExitRecord, 11);
COX_FIELDS_OF(protocol::GpuInfo, 6);
COX_FIELDS_OF(protocol::Inventory, 11);
COX_FIELDS_OF(protocol::RankReport, 6);
COX_FIELDS_OF(protocol::WorkerHello, 8);
COX_FIELDS_OF(protocol::Heartbeat, 1);
COX_FIELDS_OF(protocol::RankStarted, 3);
COX_FIELDS_OF(protocol::RankExited, 3);
COX_FIELDS_OF(protocol::FromTrainer, 3);
COX_FIELDS_OF(protocol::MetricBatch, 4);
COX_FIELDS_OF(protocol::LogData, 7);
COX_FIELDS_OF(protocol::TaskEnded, 5);
COX_FIELDS_OF(protocol::Welcome, 4);
COX_FIELDS_OF(protocol::Rejected, 2);
COX_FIELDS_OF(protocol::StartRank, 13);
COX_FIELDS_OF(protocol::StopRank, 4);
COX_FIELDS_OF(protocol::ToTrainer, 3);
COX_FIELDS_OF(protocol::AcknowledgeExit, 2);
COX_FIELDS_OF(protocol::AcknowledgeMetrics, 2);
COX_FIELDS_OF(protocol::ReadLog, 7);
COX_FIELDS_OF(protocol::StartTask, 4);
COX_FIELDS_OF(protocol::ForgetJob, 1);
COX_FIELDS_OF(core::JobRequest, 28);
COX_FIELDS_OF(core::Exit, 3);
COX_FIELDS_OF(core::LastProgress, 2);
COX_FIELDS_OF(core::StepTime, 4);
COX_FIELDS_OF(core::Speed, 2);
COX_FIELDS_OF(core::JobRow, 29);
COX_FIELDS_OF(core::AttemptRow, 14);
COX_FIELDS_OF(core::RankRow, 11);
COX_FIELDS_OF(core::GenerationRow, 8);
COX_FIELDS_OF(core::CheckpointRow, 19);
COX_FIELDS_OF(core::NodeRow, 8);
COX_FIELDS_OF(core::EventRow, 9);
COX_FIELDS_OF(core::UsageRow, 4);
COX_FIELDS_OF(core::ClusterRow, 6);
COX_FIELDS_OF(core::CheckpointDamaged, 2);
COX_FIELDS_OF(core::DeleteJob, 1);
COX_FIELDS_OF(core::DeleteEventsUpTo, 1);
COX_FIELDS_OF(core::DeleteNode, 1);
COX_FIELDS_OF(core::DeleteUsage, 2);
COX_FIELDS_OF(core::RunTime, 3);
COX_FIELDS_OF(core::Snapshot, 9);
COX_FIELDS_OF(core::JobSubmitted, 9);
COX_FIELDS_OF(core::CancelRequested, 4);
COX_FIELDS_OF(core::DrainRequested, 5);
COX_FIELDS_OF(core::ForgetRequested, 2);
COX_FIELDS_OF(core::WorkerConnected, 2);
COX_FIELDS_OF(core::WorkerDisconnected, 2);
COX_FIELDS_OF(core::WorkerReported, 2);
COX_FIELDS_OF(core::TimePassed, 1);
COX_FIELDS_OF(core::RetentionDue, 2);
COX_FIELDS_OF(core::Event, 6);
COX_FIELDS_OF(core::Action, 3);
COX_FIELDS_OF(core::Reply, 8);
COX_FIELDS_OF(core::Explanation, 2);
COX_FIELDS_OF(core::Decisions, 4);
COX_FIELDS_OF(core::GpuSlot, 3);
COX_FIELDS_OF(core::NodeCapacity, 9);
COX_FIELDS_OF(core::Settings, 5);
COX_FIELDS_OF(core::Bound, 2);
COX_FIELDS_OF(core::QueueSettings, 7);
COX_FIELDS_OF(core::SchedulingSettings, 11);
COX_FIELDS_OF(core::RankSoft, 12);
COX_FIELDS_OF(core::Forming, 4);
COX_FIELDS_OF(core::Resizing, 5);
COX_FIELDS_OF(core::Waiting, 3);
COX_FIELDS_OF(core::Told, 3);
COX_FIELDS_OF(core::Outlook, 6);
COX_FIELDS_OF(core::JobSoft, 32);
COX_FIELDS_OF(core::NodeSoft, 17);
COX_FIELDS_OF(core::Blame, 3);
COX_FIELDS_OF(core::StoreProof, 4);
COX_FIELDS_OF(core::TaskSoft, 6);
COX_FIELDS_OF(core::WaitingSubmission, 3);
COX_FIELDS_OF(core::EndedKey, 2);
COX_FIELDS_OF(core::TaskPlaces, 5);
COX_FIELDS_OF(core::PlanTimes, 3);
COX_FIELDS_OF(core::Soft, 32);
COX_FIELDS_OF(core::Image, 2);
COX_FIELDS_OF(protocol::GenerationFormed::Refused, 3);
COX_FIELDS_OF(Verdict, 5);
COX_FIELDS_OF(Beginning, 5);
COX_FIELDS_OF(TurnRecord, 2);
COX_FIELDS_OF(Ending, 2);
// clang-format on
#undef COX_FIELDS_OF

// Calls `visit` with every field of `object`.
template <class T, class Visit>
constexpr void VisitFields(T& object, const Visit& visit) {
  constexpr size_t kCount = kFields<std::remove_const_t<T>>;
  static_assert(kCount <= 32,
                "a struct that is not in the list above, or too large for the one below");
#define COX_FIELDS(count, ...)                                 \
  if constexpr (kCount == count) {                             \
    auto& [__VA_ARGS__] = object;                              \
    [&](auto&... field) { (visit(field), ...); }(__VA_ARGS__); \
  }
  // clang-format off
  COX_FIELDS(1, f1);
  COX_FIELDS(2, f1, f2);
  COX_FIELDS(3, f1, f2, f3);
  COX_FIELDS(4, f1, f2, f3, f4);
  COX_FIELDS(5, f1, f2, f3, f4, f5);
  COX_FIELDS(6, f1, f2, f3, f4, f5, f6);
  COX_FIELDS(7, f1, f2, f3, f4, f5, f6, f7);
  COX_FIELDS(8, f1, f2, f3, f4, f5, f6, f7, f8);
  COX_FIELDS(9, f1, f2, f3, f4, f5, f6, f7, f8, f9);
  COX_FIELDS(10, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10);
  COX_FIELDS(11, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11);
  COX_FIELDS(12, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12);
  COX_FIELDS(13, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13);
  COX_FIELDS(14, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14);
  COX_FIELDS(15, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15);
  COX_FIELDS(16, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16);
  COX_FIELDS(17, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17);
  COX_FIELDS(18, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18);
  COX_FIELDS(19, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19);
  COX_FIELDS(20, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20);
  COX_FIELDS(21, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21);
  COX_FIELDS(22, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22);
  COX_FIELDS(23, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23);
  COX_FIELDS(24, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24);
  COX_FIELDS(25, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25);
  COX_FIELDS(26, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26);
  COX_FIELDS(27, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27);
  COX_FIELDS(28, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28);
  COX_FIELDS(29, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29);
  COX_FIELDS(30, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30);
  COX_FIELDS(31, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30, f31);
  COX_FIELDS(32, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30, f31, f32);
  // clang-format on
#undef COX_FIELDS
}

}  // namespace coxswain::coordinator::record
