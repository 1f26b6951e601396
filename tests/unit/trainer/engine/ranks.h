// Several ranks of one small job, each an Engine on a thread of its own, over loopback.
#pragma once

#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/base/check.h"
#include "common/base/rng.h"
#include "tests/unit/trainer/engine/loopback_listener.h"
#include "trainer/engine/data/image_dataset.h"
#include "trainer/engine/training/make_engine.h"

namespace coxswain::trainer::engine {

// Images whose class can be learnt: a bright bar at the label's place, and noise.
inline std::unique_ptr<data::ImageDataset> MakeImages(uint32_t count, uint32_t side,
                                                      uint32_t classes) {
  auto big_endian = [](uint32_t n) {
    return std::string{static_cast<char>(n >> 24), static_cast<char>(n >> 16),
                       static_cast<char>(n >> 8), static_cast<char>(n)};
  };
  std::string images =
      std::string("\0\0\x08\x03", 4) + big_endian(count) + big_endian(side) + big_endian(side);
  std::string labels = std::string("\0\0\x08\x01", 4) + big_endian(count);
  base::Rng rng(7);
  for (uint32_t i = 0; i < count; ++i) {
    auto label = static_cast<uint32_t>(rng.Below(classes));
    labels.push_back(static_cast<char>(label));
    for (uint32_t p = 0; p < side * side; ++p) {
      uint64_t value = rng.Below(80) + (p / side == label % side ? 120 : 0);
      images.push_back(static_cast<char>(value));
    }
  }
  auto parsed_images = data::ParseIdx(images, "images");
  auto parsed_labels = data::ParseIdx(labels, "labels");
  auto set = data::ImageDataset::Make(*std::move(parsed_images), "images",
                                      *std::move(parsed_labels), "labels", {classes});
  CHECK(set.ok()) << set.status().ToString();
  return *std::move(set);
}

// A job of a user's own model on 60 of them: ranks get unequal shares, in micro-batches.
inline config::JobSpec OwnModelJob(config::Recipe recipe) {
  config::JobSpec spec;
  spec.workers = 2;
  spec.model.recipe = recipe;
  spec.data.classes = 4;
  spec.train.precision = config::Precision::kFloat64;
  spec.train.global_batch_size = 13;
  spec.train.micro_batch_size = 5;
  spec.train.epochs = 6;
  spec.train.optimizer.learning_rate = 3e-3;
  return spec;
}

// A copy of an engine's whole state.
struct Saved {
  int64_t step = 0, position = 0;
  std::vector<blob::TensorInfo> tensors;
  std::vector<std::string> bytes;
  NoiseAverages noise;
  EvaluationRecord evaluations;
  int64_t most_at_once = 0;
  uint32_t memory_kills = 0;
  bool model_only = false;

  static Saved Of(const Engine& engine, int64_t step, int64_t position) {
    Saved saved{step,
                position,
                engine.StateTensors(),
                {},
                engine.Noise(),
                engine.Evaluations(),
                engine.MostAtOnce(),
                engine.MemoryKills()};
    for (size_t i = 0; i < saved.tensors.size(); ++i) {
      saved.bytes.emplace_back(engine.StateBytes(i), saved.tensors[i].bytes());
    }
    return saved;
  }
  // What each rank saves, one rank after another; together it is the whole.
  void Add(const Engine& engine, int64_t at_step, int64_t at_position) {
    if (tensors.empty()) {
      *this = {at_step,        at_position,          engine.StateTensors(), {},
               engine.Noise(), engine.Evaluations(), engine.MostAtOnce(),   engine.MemoryKills()};
      for (const blob::TensorInfo& each : tensors) bytes.emplace_back(each.bytes(), '\x5a');
    }
    for (const blob::Piece& piece : engine.Share()) {
      std::memcpy(bytes[piece.tensor].data() + piece.offset,
                  engine.StateBytes(piece.tensor, piece.offset), piece.bytes);
    }
  }
  Engine::Restore Restore() const {
    return [this]() -> absl::StatusOr<std::unique_ptr<SavedState>> {
      auto state = std::make_unique<SavedState>();
      state->step = step;
      state->position = position;
      state->tensors = tensors;
      state->noise = noise;
      state->evaluations = evaluations;
      state->most_at_once = most_at_once;
      state->memory_kills = memory_kills;
      state->model_only = model_only;
      state->bytes = [this](size_t i) { return bytes[i].data(); };
      return state;
    };
  }
};

inline absl::StatusOr<std::unique_ptr<SavedState>> StartAfresh() {
  return std::unique_ptr<SavedState>();
}

struct Curve {
  std::vector<double> losses;
  std::vector<int64_t> positions;
  std::vector<StepResult> results;
  EvaluationResult evaluation;
  Saved end;  // what the ranks save
};

struct TrainOptions {
  int64_t global_batch = 0;  // 0: the job file's
  int64_t noise_every_steps = 16;
  std::function<void(int64_t samples, bool backward)> before_pass{};
  std::shared_ptr<const std::string> model_file = {};  // of a user's own model
  uint32_t memory_kills = 0;                           // as GroupSettings has it
  bool group_alone = false;
  bool copy_state = false;    // and the state is looked at after each step
  bool send_batches = false;  // as EngineSettings has it, and this:
  std::function<std::function<void()>(const std::function<void()>& work)> record = {};
  uint32_t threads = 1;
};

// Runs `steps` steps (0: to the end) with so many ranks, from `from` if it is given.
inline Curve Train(const config::JobSpec& spec, const Datasets& sets, uint32_t world, int64_t steps,
                   const Saved* from = nullptr, const TrainOptions& options = {}) {
  Listener listener;
  Curve curve;
  std::mutex mutex;
  auto rank_main = [&](uint32_t rank) {
    std::unique_ptr<Engine> engine = MakeEngine();
    EngineSettings settings;
    settings.spec = spec;
    settings.threads = options.threads;
    settings.noise_every_steps = options.noise_every_steps;
    settings.before_pass = options.before_pass;
    settings.copy_state = options.copy_state;
    settings.send_batches = options.send_batches;
    settings.record = options.record;
    settings.group_alone = options.group_alone;
    settings.model_file = options.model_file;
    absl::Status prepared = engine->Prepare(settings, sets);
    CHECK(prepared.ok()) << prepared.ToString();
    GroupSettings group{base::Generation(1),
                        rank,
                        world,
                        "127.0.0.1",
                        listener.port,
                        listener.fd,
                        options.global_batch,
                        options.memory_kills};
    auto joined = engine->Join(group, from != nullptr ? from->Restore() : StartAfresh);
    CHECK(joined.ok()) << joined.status().ToString();
    int64_t step = joined->step, position = joined->position;
    for (int64_t i = 0; (steps == 0 || i < steps) && !joined->plan.Done(step, position); ++i) {
      auto result = engine->Step({});
      CHECK(result.ok()) << result.status().ToString();
      CHECK(result->not_finite.empty());
      step = result->step;
      position = result->position;
      if (options.copy_state) Saved::Of(*engine, step, position);
      if (rank != 0) continue;
      curve.losses.push_back(result->loss);
      curve.positions.push_back(position);
      curve.results.push_back(*result);
    }
    if (sets.evaluate != nullptr) {
      auto evaluation = engine->Evaluate({});
      CHECK(evaluation.ok()) << evaluation.status().ToString();
      if (rank == 0) curve.evaluation = *evaluation;
    }
    std::lock_guard lock(mutex);
    curve.end.Add(*engine, step, position);
  };
  std::vector<std::thread> threads;
  for (uint32_t rank = 1; rank < world; ++rank) threads.emplace_back(rank_main, rank);
  rank_main(0);
  for (std::thread& thread : threads) thread.join();
  return curve;
}

}  // namespace coxswain::trainer::engine
