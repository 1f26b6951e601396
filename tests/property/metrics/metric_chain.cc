#include "metric_chain.h"

#include <stdlib.h>

#include <filesystem>

#include "common/base/check.h"

namespace coxswain {
namespace {

namespace fs = std::filesystem;
namespace store = coordinator::store;
constexpr base::JobId kJob(1);
constexpr base::WallTime kNow{1'700'000'000'000'000};
constexpr uint64_t kBufferBytes = 64 << 20;  // never full: thinning has tests of its own

// In memory where there is such a place: nothing here is about what a disk keeps.
std::string NewFolder() {
  std::string name = fs::exists("/dev/shm") ? "/dev/shm" : fs::temp_directory_path().string();
  name += "/cox-chain-XXXXXX";
  CHECK(mkdtemp(name.data()) != nullptr) << "no folder can be made: " << name;
  return name;
}

}  // namespace

MetricChain::MetricChain(uint64_t seed) : dice_(seed), folder_(NewFolder()) {
  auto opened = store::OpenSqliteMetricStore(folder_ + "/metrics.db");
  CHECK(opened.ok()) << opened.status().ToString();
  store_ = *std::move(opened);
  OpenWorker();
  KillTrainer();
}

MetricChain::~MetricChain() {
  relay_.reset();
  buffer_.reset();
  store_.reset();
  fs::remove_all(folder_);
}

void MetricChain::OpenWorker() {
  relay_.reset();
  buffer_.reset();
  auto opened = worker::MetricsBuffer::Open(folder_ + "/metrics", kBufferBytes, boot_);
  CHECK(opened.ok()) << opened.status().ToString();
  buffer_ = *std::move(opened);
  relay_.emplace(*buffer_, [this](protocol::MetricBatch& batch) {
    if (to_coordinator_.size() >= 5) return false;
    to_coordinator_.push_back(batch);
    return true;
  });
}

// The next one goes on where a checkpoint is, in a new generation.
void MetricChain::KillTrainer() {
  BreakTrainerLink();
  for (const auto& [step, generations] : emitted_) {
    bool only_here = generations.contains(generation_) && !taken_.contains({step, generation_});
    if (only_here) may_be_lost_.insert({step, generation_});
  }
  trainer_.emplace(100'000);
  generation_ = generation_.Next();
  step_ = checkpoint_;
}

void MetricChain::Step() {
  int64_t steps = dice_.Between(1, 5);
  std::vector<protocol::MetricPoint> points;
  while (steps-- > 0) {
    ++step_;
    emitted_[step_].insert(generation_);
    points.push_back({"loss", -1, step_, static_cast<double>(step_), kNow, generation_});
  }
  trainer_->Add(std::move(points));
  if (dice_.Percent(20)) checkpoint_ = dice_.Between(checkpoint_, step_);
}

void MetricChain::SendToWorker() {
  if (const trainer::MetricBuffer::Batch* batch = trainer_->Next()) {
    to_worker_.push_back({batch->sequence, batch->dropped, batch->points});
  }
}

void MetricChain::DeliverToWorker() {
  if (to_worker_.empty()) return;
  ToWorker message = std::move(to_worker_.front());
  to_worker_.pop_front();
  Take(message);
  relay_->Pump();
  if (dice_.Percent(90)) return trainer_->Acknowledge(message.sequence);
  BreakTrainerLink();  // and the answer is lost with it
}

void MetricChain::Take(const ToWorker& message) {
  CHECK(buffer_->Append(kJob, message.points, message.dropped).ok()) << "the disk refuses points";
  for (const auto& point : message.points) taken_.insert({point.step, point.generation});
}

void MetricChain::BreakTrainerLink() {
  size_t arrive = static_cast<size_t>(dice_.Between(0, static_cast<int64_t>(to_worker_.size())));
  while (arrive-- > 0) {
    Take(to_worker_.front());
    to_worker_.pop_front();
  }
  to_worker_.clear();
  if (trainer_) trainer_->Reconnected();
}

// Several batches are one transaction; it may fail, or be the last thing that the process does.
void MetricChain::DeliverToCoordinator() {
  if (to_coordinator_.empty()) return;
  auto count = static_cast<size_t>(dice_.Between(1, static_cast<int64_t>(to_coordinator_.size())));
  std::vector<store::NodeBatch> batches;
  for (size_t i = 0; i < count; ++i) {
    batches.push_back({base::NodeId("a"), std::move(to_coordinator_.front())});
    to_coordinator_.pop_front();
  }
  relay_->Pump();
  if (dice_.Percent(5)) return BreakCoordinatorLink();  // before its commit
  CHECK(store_->Append(batches, kNow).ok()) << "the store refuses points";
  if (dice_.Percent(10)) return BreakCoordinatorLink();  // after it, and nobody is told
  for (const store::NodeBatch& each : batches) acknowledgements_.push_back(each.batch.batch);
}

void MetricChain::DeliverAcknowledgement() {
  if (acknowledgements_.empty()) return;
  relay_->Acknowledged(kJob, acknowledgements_.front());
  acknowledgements_.pop_front();
}

void MetricChain::BreakCoordinatorLink() {
  relay_->End();
  to_coordinator_.clear();
  acknowledgements_.clear();
  linked_ = false;
}

// All processes of the machine are gone, and of what was written since the last write-back some is.
void MetricChain::CutPower() {
  BreakCoordinatorLink();
  KillTrainer();
  for (const auto& [step, generations] : emitted_) {
    for (base::Generation generation : generations) may_be_lost_.insert({step, generation});
  }
  relay_.reset();
  buffer_.reset();
  std::string last;
  for (const auto& entry : fs::recursive_directory_iterator(folder_ + "/metrics")) {
    std::string path = entry.path().string();
    if (path.ends_with(".seg") && path > last) last = path;
  }
  if (!last.empty()) {
    auto size = static_cast<int64_t>(fs::file_size(last));
    fs::resize_file(last, static_cast<uintmax_t>(dice_.Between(0, size)));
  }
  boot_ = "boot-" + std::to_string(++boots_);
  OpenWorker();
}

void MetricChain::Fault() {
  switch (dice_.Between(0, 4)) {
    case 0:
      return BreakTrainerLink();
    case 1:
      return BreakCoordinatorLink();
    case 2:
      return KillTrainer();
    case 3:  // kill -9 of the worker: the page cache survives
      BreakTrainerLink();
      BreakCoordinatorLink();
      return OpenWorker();
    default:
      return CutPower();
  }
}

void MetricChain::Act() {
  if (!linked_ && dice_.Percent(20)) {
    linked_ = true;
    relay_->Begin();
  }
  switch (dice_.Between(0, 5)) {
    case 0:
      return Step();
    case 1:
      return SendToWorker();
    case 2:
      return DeliverToWorker();
    case 3:
    case 4:
      return DeliverToCoordinator();
    default:
      return DeliverAcknowledgement();
  }
}

void MetricChain::Run() {
  uint32_t faults = dice_.Percent(20) ? 0 : static_cast<uint32_t>(dice_.Between(1, 6));
  for (int i = 0; i < 400; ++i) dice_.Percent(faults) ? Fault() : Act();
  for (int i = 0; i < 4000; ++i) {
    if (!linked_) relay_->Begin(), linked_ = true;
    SendToWorker();
    DeliverToWorker();
    DeliverToCoordinator();
    DeliverAcknowledgement();
    relay_->Pump();
  }
}

std::string MetricChain::WhatIsWrong() const {
  auto reader = store_->NewReader();
  CHECK(reader.ok()) << reader.status().ToString();
  store::MetricQuery query;
  query.job = kJob;
  query.include_repeated = true;
  query.limit = 1'000'000;
  auto found = (*reader)->Read(query);
  CHECK(found.ok()) << found.status().ToString();
  std::set<std::pair<int64_t, base::Generation>> there;
  std::map<int64_t, base::Generation> current;
  for (const store::StoredPoint& each : *found) {
    int64_t step = each.point.step;
    std::string name = "step " + std::to_string(step);
    if (!there.insert({step, each.point.generation}).second) return name + " is there twice";
    if (each.repeated_by_later) continue;
    if (!current.try_emplace(step, each.point.generation).second) return name + " counts twice";
  }
  for (const auto& [step, generations] : emitted_) {
    for (base::Generation generation : generations) {
      std::string name =
          "step " + std::to_string(step) + " of generation " + std::to_string(generation.value);
      bool here = there.contains({step, generation});
      if (!here && !may_be_lost_.contains({step, generation})) return name + " is missing";
      if (here && current[step] < generation) return name + " is hidden by an older one";
    }
  }
  if (!trainer_->empty() || !to_coordinator_.empty()) return "it does not come to rest";
  return "";
}

}  // namespace coxswain
