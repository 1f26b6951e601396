// A loss or gradient that is no number: found in its step, on every rank alike, and nothing
// applied.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <future>

#include "ranks.h"

namespace coxswain::trainer::engine {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

config::JobSpec Spec() {
  config::JobSpec spec;
  spec.workers = 2;
  spec.model.recipe = config::Recipe::kMlp;
  spec.model.hidden = {8, 8};
  spec.train.global_batch_size = 12;
  return spec;
}

// What each of two ranks says of the first step from this state.
std::vector<StepResult> FirstStep(const config::JobSpec& spec, const Saved& from) {
  auto images = MakeImages(60, 8, 10);
  Listener listener;
  auto rank_main = [&](uint32_t rank) {
    std::unique_ptr<Engine> engine = MakeEngine();
    EngineSettings settings;
    settings.spec = spec;
    CHECK(engine->Prepare(settings, {images.get(), nullptr}).ok());
    GroupSettings group{base::Generation(1), rank, 2, "127.0.0.1", listener.port, listener.fd};
    auto joined = engine->Join(group, from.Restore());
    CHECK(joined.ok()) << joined.status().ToString();
    auto result = engine->Step({});
    CHECK(result.ok()) << result.status().ToString();
    if (!result->not_finite_at.empty()) {
      const Saved after = Saved::Of(*engine, joined->step, joined->position);
      CHECK(after.bytes == from.bytes) << "a step that is not finite has changed the state";
    }
    return *result;
  };
  auto other = std::async(std::launch::async, rank_main, 1);
  StepResult mine = rank_main(0);
  return {mine, other.get()};
}

// The state after one good step, with `value` for every element of a tensor.
Saved StateWith(const config::JobSpec& spec, const std::string& tensor, float value) {
  auto images = MakeImages(60, 8, 10);
  Saved saved = Train(spec, {images.get(), nullptr}, 2, 1).end;
  for (size_t i = 0; i < saved.tensors.size(); ++i) {
    if (saved.tensors[i].name != tensor) continue;
    auto* numbers = reinterpret_cast<float*>(saved.bytes[i].data());
    std::fill_n(numbers, saved.bytes[i].size() / sizeof(float), value);
  }
  return saved;
}

TEST(NotFinite, NumbersOverflow_EveryRankNamesTheSameParameter) {
  const config::JobSpec spec = Spec();
  const Saved good = StateWith(spec, "", 0);
  EXPECT_THAT(FirstStep(spec, good)[0].not_finite_at, IsEmpty());
  const std::string last = "layers.2.weight";
  const Saved bad = StateWith(spec, last, 3e38f);
  for (const StepResult& result : FirstStep(spec, bad)) {
    EXPECT_THAT(result.not_finite, Not(IsEmpty()));
    EXPECT_TRUE(std::isnan(result.loss));
    EXPECT_THAT(result.not_finite_at, StartsWith("first parameter with a non-finite gradient: "));
  }
}

TEST(NotFinite, ParameterIsNone_IsNamed) {
  const config::JobSpec spec = Spec();
  const std::string last = "layers.2.weight";
  for (const StepResult& result : FirstStep(spec, StateWith(spec, last, std::nanf("")))) {
    EXPECT_EQ(result.not_finite_at, "parameter " + last + " is not finite");
  }
}

TEST(NotFinite, NormOverflows_LossIsFineAndNothingIsApplied) {
  config::JobSpec spec = Spec();
  spec.train.clip_norm = 1;
  const std::string last = "layers.2.weight";
  Saved state = StateWith(spec, last, 0);
  for (size_t i = 0; i < state.tensors.size(); ++i) {
    if (state.tensors[i].name != last) continue;
    auto* numbers = reinterpret_cast<float*>(state.bytes[i].data());
    for (size_t at = 0; at < state.bytes[i].size() / sizeof(float); ++at) {
      numbers[at] = at % 3 == 0 ? 2e22f : -1e22f;
    }
  }
  for (const StepResult& result : FirstStep(spec, state)) {
    EXPECT_TRUE(std::isfinite(result.loss));
    EXPECT_THAT(result.not_finite, IsEmpty());
    EXPECT_EQ(result.not_finite_at, "every single gradient is finite");
  }
}

}  // namespace
}  // namespace coxswain::trainer::engine
