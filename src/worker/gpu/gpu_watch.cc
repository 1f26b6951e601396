#include "worker/gpu/gpu_watch.h"

#include <time.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "worker/gpu/nvml.h"

namespace coxswain::worker::gpu {
namespace {

std::string ClockTime() {
  time_t now = time(nullptr);
  tm parts{};
  gmtime_r(&now, &parts);
  char text[16];
  strftime(text, sizeof text, "%H:%M:%S", &parts);
  return text;
}

}  // namespace

struct GpuWatch::Shared {
  Settings settings;
  std::mutex mutex;
  std::condition_variable changed;
  // Guarded by `mutex`:
  std::function<void(const Observation&)> observed;  // empty: nobody listens any more
  bool stopping = false;
  std::optional<std::chrono::steady_clock::time_point> looking_since;
  std::string looking_since_text;
  std::optional<Observation> told;
  Observation seen;  // by the last look that came to an end
  std::thread looker, judge;

  void Tell(const Observation& observation) {
    if (!observed || told == observation) return;
    told = observation;
    observed(observation);
  }
  // False: stop. Whoever stops either sees this look or prevents it, so none is waited for unseen.
  bool BeginLook() {
    std::lock_guard lock(mutex);
    if (stopping) return false;
    looking_since = std::chrono::steady_clock::now();
    looking_since_text = ClockTime();
    changed.notify_all();
    return true;
  }
  // False: stop.
  bool EndLook(Observation observation) {
    std::unique_lock lock(mutex);
    looking_since.reset();
    seen = std::move(observation);
    Tell(seen);
    changed.notify_all();
    changed.wait_for(lock, settings.every, [&] { return stopping; });
    return !stopping;
  }
  void Look();
  void Judge();
};

// A driver that comes later, or comes back, is found by the next look.
void GpuWatch::Shared::Look() {
  std::unique_ptr<Nvml> nvml;
  bool go_on = true;
  while (go_on && BeginLook()) {
    Observation observation;
    if (!nvml) nvml = Nvml::Load(settings.library, observation.note);
    if (nvml) observation.gpus = nvml->Probe(observation.note);
    bool lost = nvml && observation.gpus.empty();
    if (lost) nvml.reset();
    go_on = EndLook(std::move(observation));
  }
}

void GpuWatch::Shared::Judge() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    changed.wait(lock, [&] { return stopping || looking_since; });
    if (stopping) return;
    auto began = looking_since;
    bool ended = changed.wait_until(lock, *began + settings.patience,
                                    [&] { return stopping || looking_since != began; });
    if (ended) continue;
    Observation hung = seen;
    std::string since = "NVML does not answer since " + looking_since_text;
    for (core::GpuFacts& gpu : hung.gpus) gpu.problem = since;
    if (hung.gpus.empty()) hung.note = since;
    Tell(hung);
    changed.wait(lock, [&] { return stopping || looking_since != began; });
  }
}

GpuWatch::GpuWatch(Settings settings, std::function<void(const Observation&)> observed)
    : shared_(std::make_shared<Shared>()) {
  shared_->settings = std::move(settings);
  shared_->observed = std::move(observed);
  shared_->looker = std::thread([shared = shared_] { shared->Look(); });
  shared_->judge = std::thread([shared = shared_] { shared->Judge(); });
}

GpuWatch::~GpuWatch() {
  bool hanging;
  {
    std::lock_guard lock(shared_->mutex);
    shared_->stopping = true;
    shared_->observed = nullptr;
    hanging = shared_->looking_since.has_value();
    shared_->changed.notify_all();
  }
  shared_->judge.join();
  if (hanging) {
    shared_->looker.detach();
  } else {
    shared_->looker.join();
  }
}

}  // namespace coxswain::worker::gpu
