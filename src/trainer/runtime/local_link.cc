#include "trainer/runtime/local_link.h"

#include <charconv>
#include <fstream>

#include "common/base/clock.h"
#include "common/log/log.h"

namespace coxswain::trainer {

LocalLink::~LocalLink() { Stop(); }

void LocalLink::Start(LinkEvents events) {
  events_ = std::move(events);
  thread_ = std::thread([this] { Run(); });
}

void LocalLink::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void LocalLink::SendReport(protocol::TrainerReport report) {
  {
    std::lock_guard lock(mutex_);
    inbox_.push_back(std::move(report));
  }
  changed_.notify_all();
}

void LocalLink::SendMetrics(std::vector<protocol::MetricPoint> points) {
  if (settings_.metrics_path.empty()) return;
  std::ofstream file(settings_.metrics_path, std::ios::app);
  for (const protocol::MetricPoint& point : points) {
    // Without a format: the shortest text that reads back as the same value.
    char value[32];
    *std::to_chars(value, value + sizeof value - 1, point.value).ptr = '\0';
    file << "{\"name\":\"" << point.name << "\",\"rank\":" << point.rank
         << ",\"step\":" << point.step << ",\"value\":" << value << ",\"time_us\":" << point.time.us
         << "}\n";
  }
}

bool LocalLink::Flush(base::Duration limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [this] { return inbox_.empty() && idle_; });
}

void LocalLink::Run() {
  events_.connected();
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !inbox_.empty(); });
    if (stopping_) return;
    protocol::TrainerReport report = std::move(inbox_.front());
    inbox_.pop_front();
    idle_ = false;
    lock.unlock();
    Answer(report);
    lock.lock();
    idle_ = true;
    changed_.notify_all();
  }
}

protocol::FormGeneration LocalLink::Form() const {
  protocol::FormGeneration form;
  form.generation = base::Generation(1);
  form.global_batch = settings_.global_batch;
  for (uint32_t rank = 0; rank < settings_.world_size; ++rank) {
    // Only rank 0's address is used.
    form.members.push_back({rank, base::Incarnation(rank + 1), settings_.store_address});
  }
  if (!settings_.resume_from.empty()) {
    form.restore.push_back({base::CheckpointId(), settings_.resume_from, ""});
  }
  return form;
}

void LocalLink::Answer(const protocol::TrainerReport& report) {
  auto order = [this](protocol::TrainerOrder order) { events_.order(order); };
  if (const auto* ready = std::get_if<protocol::TrainerReady>(&report)) {
    if (!ready->generation) order(Form());
  } else if (const auto* open = std::get_if<protocol::OpenCheckpoint>(&report)) {
    std::string folder = settings_.prefix + "/step-" + std::to_string(open->step) + "-" +
                         std::to_string(base::WallNow().us);
    order(protocol::CheckpointOpened{base::CheckpointId(++checkpoints_), open->step,
                                     open->generation, settings_.store + "/" + folder});
  } else if (const auto* stored = std::get_if<protocol::ShardStored>(&report)) {
    order(protocol::WriteManifest{stored->id, {stored->shard}});
  } else if (const auto* written = std::get_if<protocol::ManifestWritten>(&report)) {
    order(protocol::CheckpointCommitted{written->id, written->manifest_hash});
  } else if (const auto* failed = std::get_if<protocol::CheckpointFailed>(&report)) {
    order(
        protocol::CheckpointRefused{failed->id, failed->step, failed->generation, failed->reason});
  } else if (std::holds_alternative<protocol::CollectiveFailed>(report)) {
    order(protocol::StopTraining{false, "a peer is gone"});
  } else if (std::holds_alternative<protocol::TrainingFinished>(report)) {
    order(protocol::FinishAcknowledged{});
  } else if (const auto* progress = std::get_if<protocol::TrainerProgress>(&report)) {
    if (settings_.rank == 0) Show(*progress);
  }
}

void LocalLink::Show(const protocol::TrainerProgress& progress) {
  base::Time now = base::MonotonicNow();
  if (now - shown_ < base::seconds(2)) return;
  shown_ = now;
  char line[200];
  std::snprintf(line, sizeof line, "epoch %lld/%lld, step %lld/%lld, loss %.4f, %.0f samples/s",
                static_cast<long long>(progress.epoch), static_cast<long long>(progress.epochs),
                static_cast<long long>(progress.step), static_cast<long long>(progress.total_steps),
                progress.loss, progress.samples_per_second);
  log::Info(line);
}

}  // namespace coxswain::trainer
