#include "sim/trace/pollux_app.h"

#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "sim/trace/csv.h"

namespace coxswain::sim::trace {
namespace {

// Target epochs, and batches per GPU that are not used although they were measured: as in the
// paper's simulator.
struct Known {
  size_t epochs;
  double largest_local;  // 0: all that were measured
  double batch;          // of all jobs of it; 0: as the trace says, and it may be moved
};
const std::map<std::string, Known>& KnownApps() {
  static const auto* apps = new std::map<std::string, Known>{
      {"bert", {2, 0, 0}},      {"cifar10", {100, 0, 0}},    {"ncf", {10, 0, 32768}},
      {"imagenet", {90, 0, 0}}, {"deepspeech2", {80, 0, 0}}, {"yolov3", {50, 8, 0}}};
  return *apps;
}

std::string PlacementText(const Shares& shares) {
  std::string text;
  for (int share : shares) text += static_cast<char>('0' + share);
  return text;
}

// The same placement however its nodes are numbered round.
std::string Least(const std::string& text) {
  std::string least = text;
  for (size_t i = 1; i < text.size(); ++i) {
    least = std::min(least, text.substr(i) + text.substr(0, i));
  }
  return least;
}

// On the line between its neighbours; at the ends the end itself.
template <class Map, class Mix>
auto Between(const Map& map, double at, Mix mix) {
  auto high = map.lower_bound(at);
  if (high == map.end()) return std::prev(high)->second;
  if (high->first == at || high == map.begin()) return high->second;
  auto low = std::prev(high);
  return mix(low->second, high->second, (at - low->first) / (high->first - low->first));
}

class PolluxJob : public JobModel {
 public:
  PolluxJob(std::shared_ptr<const PolluxApp> app, double batch_size, PolluxApp::Moves moves)
      : app_(std::move(app)),
        batch_size_(moves == PolluxApp::Moves::kBatch ? app_->smallest() : batch_size),
        moves_(moves) {}

  double Train(double seconds, const Shares& shares) override {
    double left = seconds;
    while (left > 0 && !done()) {
      double goodput = app_->Goodput(batch_size_, epoch_, shares);
      double next = app_->ProgressAt(epoch_ + 1);
      if (progress_ + goodput * left < next) {
        progress_ += goodput * left;
        return seconds;
      }
      left -= (next - progress_) / goodput;
      progress_ = next;
      ++epoch_;
    }
    return seconds - std::max(left, 0.0);
  }
  bool done() const override { return epoch_ >= app_->epochs(); }
  double Left(const Shares& shares) const override {
    double seconds = 0, from = progress_;
    for (size_t epoch = epoch_; epoch < app_->epochs(); ++epoch) {
      double next = app_->ProgressAt(epoch + 1);
      seconds += (next - from) / app_->Goodput(batch_size_, epoch, shares);
      from = next;
    }
    return seconds;
  }
  std::optional<Range> range() const override {
    if (moves_ == PolluxApp::Moves::kNothing) return std::nullopt;
    bool batch = moves_ == PolluxApp::Moves::kBatch;
    double most = (batch ? app_->largest() : batch_size_) / app_->smallest_local();
    return Range{static_cast<uint32_t>(std::max(1.0, most)), static_cast<int64_t>(batch_size_),
                 batch ? static_cast<int64_t>(app_->largest()) : 0};
  }
  Measured Measure(const Shares& shares) const override {
    return app_->Measure(batch_size_, std::min(epoch_, app_->epochs() - 1), shares);
  }
  void SetBatch(double batch) override { batch_size_ = batch; }

 private:
  std::shared_ptr<const PolluxApp> app_;
  double batch_size_;
  PolluxApp::Moves moves_;
  double progress_ = 0;
  size_t epoch_ = 0;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const PolluxApp>> PolluxApp::Load(const std::string& folder,
                                                                 const std::string& name) {
  auto known = KnownApps().find(name);
  if (known == KnownApps().end()) {
    std::string names;
    for (const auto& [each, app] : KnownApps())
      absl::StrAppend(&names, names.empty() ? "" : ", ", each);
    return absl::InvalidArgumentError(absl::StrCat("found '", name, "', expected one of ", names));
  }
  auto app = std::make_shared<PolluxApp>();
  app->epochs_ = known->second.epochs;
  app->fixed_batch_ = known->second.batch;
  absl::Status status = app->LoadTimings(folder);
  if (status.ok()) status = app->LoadNoise(folder);
  if (!status.ok()) return status;
  if (known->second.largest_local > 0) app->largest_local_ = known->second.largest_local;
  if (app->progress_.size() <= app->epochs_) {
    return absl::InvalidArgumentError(absl::StrCat(folder, ": has ", app->progress_.size() - 1,
                                                   " epochs, ", app->epochs_, " are needed"));
  }
  return app;
}

std::unique_ptr<JobModel> PolluxApp::Train(std::shared_ptr<const PolluxApp> app, double batch_size,
                                           Moves moves) {
  if (app->fixed_batch_ > 0 && moves != Moves::kNothing) {
    batch_size = app->fixed_batch_;
    moves = Moves::kGpus;
  }
  return std::make_unique<PolluxJob>(std::move(app), batch_size, moves);
}

absl::Status PolluxApp::LoadTimings(const std::string& folder) {
  absl::StatusOr<Csv> placed =
      Csv::Read(folder + "/placements.csv", {"placement", "local_bsz", "step_time", "sync_time"});
  if (!placed.ok()) return placed.status();
  std::map<std::pair<int, int>, std::map<double, std::vector<Timing>>> sums;
  auto read = [](const Csv& csv, size_t row, double* batch, Timing* timing) {
    absl::StatusOr<double> b = csv.Number(row, "local_bsz", 1);
    absl::StatusOr<double> step = csv.Number(row, "step_time");
    absl::StatusOr<double> sync = csv.Number(row, "sync_time");
    for (const auto* each : {&b, &step, &sync}) {
      if (!each->ok()) return each->status();
    }
    *batch = *b;
    *timing = {*step, *sync};
    return absl::OkStatus();
  };
  for (size_t row = 0; row < placed->size(); ++row) {
    double batch = 0;
    Timing timing;
    if (absl::Status s = read(*placed, row, &batch, &timing); !s.ok()) return s;
    const std::string& placement = placed->Text(row, "placement");
    by_placement_[placement][batch] = timing;
    int gpus = 0;
    for (char c : placement) gpus += c - '0';
    sums[{static_cast<int>(placement.size()), gpus}][batch].push_back(timing);
    largest_local_ = std::max(largest_local_, batch);
    smallest_local_ = smallest_local_ == 0 ? batch : std::min(smallest_local_, batch);
  }
  for (const auto& [size, batches] : sums) {
    for (const auto& [batch, timings] : batches) {
      Timing& mean = by_size_[size][batch];
      for (const Timing& each : timings) {
        mean.step += each.step / static_cast<double>(timings.size());
        mean.sync += each.sync / static_cast<double>(timings.size());
      }
    }
  }
  absl::StatusOr<Csv> scaled =
      Csv::Read(folder + "/scalability.csv",
                {"num_nodes", "num_replicas", "local_bsz", "step_time", "sync_time"});
  if (!scaled.ok()) return scaled.status();
  for (size_t row = 0; row < scaled->size(); ++row) {
    double batch = 0;
    Timing timing;
    if (absl::Status s = read(*scaled, row, &batch, &timing); !s.ok()) return s;
    absl::StatusOr<double> nodes = scaled->Number(row, "num_nodes", 1);
    absl::StatusOr<double> gpus = scaled->Number(row, "num_replicas", 1);
    if (!nodes.ok()) return nodes.status();
    if (!gpus.ok()) return gpus.status();
    by_size_[{static_cast<int>(*nodes), static_cast<int>(*gpus)}][batch] = timing;
  }
  return absl::OkStatus();
}

absl::Status PolluxApp::LoadNoise(const std::string& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    std::string name = entry.path().stem().string();
    double batch = 0;
    if (!absl::StartsWith(name, "validation-") || !absl::SimpleAtod(name.substr(11), &batch)) {
      continue;
    }
    absl::StatusOr<Csv> csv = Csv::Read(entry.path(), {"progress", "grad_sqr", "grad_var"});
    if (!csv.ok()) return csv.status();
    std::vector<Noise>& epochs = noise_[batch];
    for (size_t row = 0; row < csv->size(); ++row) {
      absl::StatusOr<double> progress = csv->Number(row, "progress");
      absl::StatusOr<double> squared = csv->Number(row, "grad_sqr");
      absl::StatusOr<double> variance = csv->Number(row, "grad_var");
      for (const auto* each : {&progress, &squared, &variance}) {
        if (!each->ok()) return each->status();
      }
      epochs.push_back({*progress, *squared, *variance});
    }
  }
  if (noise_.empty()) {
    return absl::NotFoundError(absl::StrCat(folder, " has no validation-BATCH.csv"));
  }
  smallest_ = noise_.begin()->first;
  largest_ = noise_.rbegin()->first;
  progress_ = {0};
  for (size_t epoch = 0;; ++epoch) {
    double least = std::numeric_limits<double>::infinity();
    for (const auto& [batch, epochs] : noise_) {
      if (epoch >= epochs.size()) return absl::OkStatus();
      least = std::min(least, epochs[epoch].progress);
    }
    progress_.push_back(least);
  }
}

PolluxApp::Timing PolluxApp::TimingOf(const Shares& shares, double local_batch) const {
  const ByBatch* rows = nullptr;
  if (auto exact = by_placement_.find(Least(PlacementText(shares))); exact != by_placement_.end()) {
    rows = &exact->second;
  } else {
    int nodes = static_cast<int>(shares.size()), gpus = 0;
    for (int share : shares) gpus += share;
    int best = 0;
    for (const auto& [size, batches] : by_size_) {
      int off = 2 * std::abs(size.second - gpus) + std::abs(size.first - nodes);
      if (rows == nullptr || off < best) rows = &batches, best = off;
    }
  }
  return Between(*rows, local_batch, [](const Timing& a, const Timing& b, double w) {
    return Timing{a.step + (b.step - a.step) * w, a.sync + (b.sync - a.sync) * w};
  });
}

PolluxApp::Noise PolluxApp::NoiseOf(double batch, size_t epoch) const {
  std::map<double, Noise> at_epoch;
  for (const auto& [size, epochs] : noise_) at_epoch[size] = epochs[epoch];
  return Between(at_epoch, batch, [](const Noise& a, const Noise& b, double w) {
    return Noise{0, a.squared + (b.squared - a.squared) * w,
                 a.variance + (b.variance - a.variance) * w};
  });
}

Measured PolluxApp::Measure(double batch_size, size_t epoch, const Shares& shares) const {
  double gpus = 0;
  for (int share : shares) gpus += share;
  constexpr double kRounding = 1e-8;
  double local = std::ceil(batch_size / gpus - kRounding);
  double accumulated = std::ceil(local / largest_local_ - kRounding) - 1;
  if (gpus == 1 && batch_size > smallest_) accumulated = std::max(1.0, accumulated);
  double atomic = std::min(std::ceil(local / (accumulated + 1) - kRounding),
                           std::floor(largest_ / (gpus * (accumulated + 1))));
  atomic = std::max(atomic, 1.0);
  double batch = gpus * atomic * (accumulated + 1);
  Timing timing = TimingOf(shares, atomic);
  Noise noise = NoiseOf(batch, epoch);
  return {batch, timing.step + (timing.step - timing.sync) * accumulated,
          noise.squared > 0 ? smallest_ * noise.variance / noise.squared : 0};
}

double PolluxApp::Goodput(double batch_size, size_t epoch, const Shares& shares) const {
  Measured step = Measure(batch_size, epoch, shares);
  Noise noise = NoiseOf(step.batch, epoch);
  double scale = step.batch / smallest_;
  double gain = (noise.variance + noise.squared) / (noise.variance / scale + noise.squared);
  return gain / step.seconds;
}

}  // namespace coxswain::sim::trace
