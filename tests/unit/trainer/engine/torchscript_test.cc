// A TorchScript file is trained as the same model would be as a recipe.
#include "torchscript_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/serialization/import.h>

#include <cmath>
#include <cstring>

#include "ranks.h"

namespace coxswain::trainer::engine {
namespace {

using ::testing::HasSubstr;

const data::Dataset& Images() {
  static const auto set = MakeImages(60, 8, 4);
  return *set;
}
const data::Dataset& TestImages() {
  static const auto set = MakeImages(37, 8, 4);
  return *set;
}

config::JobSpec Spec(config::Recipe recipe) {
  config::JobSpec spec = OwnModelJob(recipe);
  spec.model.hidden = {12};
  spec.model.channels = {4, 6};
  spec.model.module = "model.pt";
  return spec;
}

// What a recipe begins with, by its names with '_' for '.'.
ScriptParts PartsOf(const config::JobSpec& spec, std::string source) {
  std::unique_ptr<Engine> engine = MakeEngine();
  EngineSettings settings;
  settings.spec = spec;
  CHECK(engine->Prepare(settings, {&Images(), nullptr}).ok());
  ScriptParts parts;
  for (size_t i = 0; i < engine->ModelTensorCount(); ++i) {
    const blob::TensorInfo& info = engine->StateTensors()[i];
    at::Tensor value = at::empty(info.shape, at::kDouble);
    std::memcpy(value.data_ptr(), engine->StateBytes(i), info.bytes());
    std::string name = info.name;
    for (char& c : name) c = c == '.' ? '_' : c;
    const bool buffer = name.find("running") != std::string::npos;
    if (!buffer) value.set_requires_grad(true);
    (buffer ? parts.buffers : parts.parameters).emplace_back(name, value);
  }
  parts.source = std::move(source);
  return parts;
}

constexpr char kMlp[] = R"(
def forward(self, x):
    x = torch.relu(torch.linear(torch.flatten(x, 1), self.layers_0_weight, self.layers_0_bias))
    return torch.linear(x, self.layers_1_weight, self.layers_1_bias)
)";

constexpr char kCnn[] = R"(
def norm(self, x, weight, bias, mean, var):
    return torch.batch_norm(x, weight, bias, mean, var, self.training, 0.1, 1e-5, False)

def forward(self, x):
    x = torch.conv2d(x, self.blocks_0_conv_weight, None, [1, 1], [1, 1])
    x = self.norm(x, self.blocks_0_norm_weight, self.blocks_0_norm_bias,
                  self.blocks_0_norm_running_mean, self.blocks_0_norm_running_var)
    x = torch.max_pool2d(torch.relu(x), [2, 2])
    x = torch.conv2d(x, self.blocks_1_conv_weight, None, [1, 1], [1, 1])
    x = self.norm(x, self.blocks_1_norm_weight, self.blocks_1_norm_bias,
                  self.blocks_1_norm_running_mean, self.blocks_1_norm_running_var)
    x = torch.max_pool2d(torch.relu(x), [2, 2])
    x = torch.relu(torch.linear(torch.flatten(x, 1), self.head_0_weight, self.head_0_bias))
    return torch.linear(x, self.head_1_weight, self.head_1_bias)
)";

// Dropout, and two buffers that it changes itself: one in place, one by another tensor.
constexpr char kDropout[] = R"(
def forward(self, x):
    x = torch.relu(torch.linear(torch.flatten(x, 1), self.layers_0_weight, self.layers_0_bias))
    if self.training:
        self.seen.add_(1)
        self.mean = torch.detach(0.9 * self.mean + 0.1 * torch.mean(x, [0]))
    x = torch.dropout(x, 0.4, self.training)
    return torch.linear(x, self.layers_1_weight, self.layers_1_bias)
)";

TrainOptions With(const std::string& file) {
  TrainOptions options;
  options.model_file = std::make_shared<const std::string>(file);
  return options;
}

void ExpectSame(const Curve& one, const Curve& other, bool names_too) {
  ASSERT_EQ(one.losses.size(), other.losses.size());
  for (size_t i = 0; i < one.losses.size(); ++i) {
    ASSERT_NEAR(one.losses[i], other.losses[i], 1e-9 * std::abs(one.losses[i])) << "step " << i;
  }
  EXPECT_NEAR(one.evaluation.loss, other.evaluation.loss, 1e-9 * one.evaluation.loss);
  ASSERT_EQ(one.end.tensors.size(), other.end.tensors.size());
  for (size_t i = 0; i < one.end.tensors.size(); ++i) {
    if (names_too) {
      EXPECT_EQ(one.end.tensors[i], other.end.tensors[i]);
    }
    if (one.end.tensors[i].dtype != blob::DType::kFloat64) {
      EXPECT_EQ(one.end.bytes[i], other.end.bytes[i]) << one.end.tensors[i].name;
      continue;
    }
    std::vector<double> a(one.end.bytes[i].size() / 8), b(a.size());
    std::memcpy(a.data(), one.end.bytes[i].data(), a.size() * 8);
    std::memcpy(b.data(), other.end.bytes[i].data(), b.size() * 8);
    for (size_t k = 0; k < a.size(); ++k) {
      ASSERT_NEAR(a[k], b[k], 1e-8) << one.end.tensors[i].name;
    }
  }
}

TEST(TorchScript, Mlp_SameLossesAndStateAsTheRecipe) {
  const config::JobSpec recipe = Spec(config::Recipe::kMlp);
  const std::string file = TorchScriptFile(PartsOf(recipe, kMlp));
  Datasets sets{&Images(), &TestImages()};
  Curve expected = Train(recipe, sets, 1, 25);
  EXPECT_LT(expected.losses.back(), 0.9 * expected.losses.front());
  for (uint32_t world : {1, 2, 3}) {
    Curve own = Train(Spec(config::Recipe::kTorchScript), sets, world, 25, nullptr, With(file));
    ExpectSame(expected, own, false);
  }
}

TEST(TorchScript, CnnWithBatchNorm_SameLossesAndRunningStatisticsAsTheRecipe) {
  config::JobSpec recipe = Spec(config::Recipe::kCnn);
  recipe.model.batch_norm = true;
  const std::string file = TorchScriptFile(PartsOf(recipe, kCnn));
  Datasets sets{&Images(), &TestImages()};
  Curve expected = Train(recipe, sets, 1, 12);
  for (uint32_t world : {1, 3}) {
    Curve own = Train(Spec(config::Recipe::kTorchScript), sets, world, 12, nullptr, With(file));
    ExpectSame(expected, own, false);
  }
}

TEST(TorchScript, MlpInBf16_NearlyTheLossesOfTheRecipe) {
  config::JobSpec recipe = Spec(config::Recipe::kMlp), own = Spec(config::Recipe::kTorchScript);
  const std::string file = TorchScriptFile(PartsOf(recipe, kMlp));
  Datasets sets{&Images(), &TestImages()};
  const Curve exact = Train(recipe, sets, 1, 10);
  recipe.train.precision = own.train.precision = config::Precision::kBf16;
  const Curve expected = Train(recipe, sets, 1, 10),
              got = Train(own, sets, 2, 10, nullptr, With(file));
  for (size_t i = 0; i < expected.losses.size(); ++i) {
    EXPECT_NEAR(expected.losses[i], got.losses[i], 1e-2 * expected.losses[i]) << "step " << i;
    EXPECT_NE(exact.losses[i], got.losses[i]);
  }
}

std::string DropoutFile() {
  ScriptParts parts = PartsOf(Spec(config::Recipe::kMlp), kDropout);
  parts.buffers.emplace_back("seen", at::zeros({}, at::kLong));
  parts.buffers.emplace_back("mean", at::zeros({12}, at::kFloat));  // goes to the job's precision
  return TorchScriptFile(parts);
}

TEST(TorchScript, DropoutAndOwnBuffers_SameCurveForAnyNumberOfRanks) {
  const TrainOptions file = With(DropoutFile());
  const config::JobSpec spec = Spec(config::Recipe::kTorchScript);
  Datasets sets{&Images(), &TestImages()};
  Curve one = Train(spec, sets, 1, 12, nullptr, file);
  int64_t seen = 0;
  for (size_t i = 0; i < one.end.tensors.size(); ++i) {
    if (one.end.tensors[i].name == "seen") std::memcpy(&seen, one.end.bytes[i].data(), 8);
  }
  EXPECT_EQ(seen, 12);  // once a step
  for (uint32_t world : {2, 3}) ExpectSame(one, Train(spec, sets, world, 12, nullptr, file), true);
}

TEST(TorchScript, StoppedAndResumed_GoesOnAsIfNothingHadHappened) {
  const TrainOptions file = With(DropoutFile());
  const config::JobSpec spec = Spec(config::Recipe::kTorchScript);
  Datasets sets{&Images(), &TestImages()};
  Curve whole = Train(spec, sets, 1, 16, nullptr, file);
  Curve first = Train(spec, sets, 1, 7, nullptr, file);
  Curve second = Train(spec, sets, 2, 9, &first.end, file);
  second.losses.insert(second.losses.begin(), first.losses.begin(), first.losses.end());
  ExpectSame(whole, second, true);
}

TEST(TorchScript, TrainedModel_IsAFileAgain) {
  std::unique_ptr<Engine> engine = MakeEngine();
  EngineSettings settings;
  settings.spec = Spec(config::Recipe::kTorchScript);
  settings.spec.train.ema.decay = 0.5;
  settings.model_file = With(DropoutFile()).model_file;
  ASSERT_TRUE(engine->Prepare(settings, {&Images(), nullptr}).ok());
  Listener listener;
  ASSERT_TRUE(engine
                  ->Join({base::Generation(1), 0, 1, "127.0.0.1", listener.port, listener.fd, 0},
                         StartAfresh)
                  .ok());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(engine->Step({}).ok());
  auto files = engine->ModelFiles({});
  ASSERT_TRUE(files.ok()) << files.status();
  ASSERT_EQ(files->size(), 1u);
  EXPECT_EQ(files->front().name, "model.pt");
  std::istringstream in(files->front().bytes);
  torch::jit::Module module = torch::jit::load(in);
  EXPECT_FALSE(module.is_training());
  for (size_t i = 0; i < engine->ModelTensorCount(); ++i) {
    const blob::TensorInfo& info = engine->StateTensors()[i];
    at::Tensor value = module.attr(info.name).toTensor();
    ASSERT_EQ(value.sizes().vec(), info.shape);
    EXPECT_EQ(std::memcmp(value.const_data_ptr(), engine->ModelBytes(i), info.bytes()), 0)
        << info.name;
    // The average; of a counter, which cannot be averaged, itself.
    EXPECT_EQ(std::memcmp(engine->StateBytes(i), engine->ModelBytes(i), info.bytes()) == 0,
              info.name == "seen")
        << info.name;
  }
  EXPECT_EQ(module.forward({at::zeros({5, 1, 8, 8}, at::kDouble)}).toTensor().sizes().vec(),
            (std::vector<int64_t>{5, 4}));
  EXPECT_THAT(engine->ModelConfig(), HasSubstr("\"file\": \"model.pt\""));
}

TEST(TorchScript, ModelOfACheckpoint_IsAFileTooAndTheTrainedOneStays) {
  std::unique_ptr<Engine> engine = MakeEngine();
  EngineSettings settings;
  settings.spec = Spec(config::Recipe::kTorchScript);
  settings.model_file = With(DropoutFile()).model_file;
  ASSERT_TRUE(engine->Prepare(settings, {&Images(), nullptr}).ok());
  std::vector<std::string> saved, now;
  std::vector<char*> bytes;
  for (size_t i = 0; i < engine->ModelTensorCount(); ++i) {
    now.emplace_back(engine->StateBytes(i), engine->StateTensors()[i].bytes());
    saved.emplace_back(now.back().size(), '\1');
  }
  for (std::string& each : saved) bytes.push_back(each.data());
  auto files = engine->ModelFiles(bytes);
  ASSERT_TRUE(files.ok()) << files.status();
  std::istringstream in(files->front().bytes);
  torch::jit::Module module = torch::jit::load(in);
  for (size_t i = 0; i < now.size(); ++i) {
    const blob::TensorInfo& info = engine->StateTensors()[i];
    at::Tensor value = module.attr(info.name).toTensor();
    EXPECT_EQ(std::memcmp(value.const_data_ptr(), saved[i].data(), info.bytes()), 0) << info.name;
    EXPECT_EQ(saved[i], std::string(info.bytes(), '\1')) << info.name;
    EXPECT_EQ(std::memcmp(engine->StateBytes(i), now[i].data(), info.bytes()), 0) << info.name;
  }
}

// What Inspect says of a file for images of 1 x 8 x 8 and 4 classes.
std::string WhyNot(const std::string& file) {
  EngineSettings settings;
  settings.spec = Spec(config::Recipe::kTorchScript);
  settings.model_file = std::make_shared<const std::string>(file);
  auto made = MakeEngine()->Inspect(settings, Images().shape());
  EXPECT_TRUE(absl::IsInvalidArgument(made.status())) << made.status();
  return std::string(made.status().message());
}

std::string Source(const std::string& body, bool trained = true) {
  ScriptParts parts;
  parts.parameters.emplace_back("w", at::ones({4, 64}).set_requires_grad(trained));
  parts.source = "def forward(self, x):\n    x = torch.flatten(x, 1)\n    " + body + "\n";
  return TorchScriptFile(parts);
}

TEST(TorchScriptRefused, ByWhatItIs) {
  const std::string key = "spec.model.module: model.pt: ";
  EXPECT_EQ(
      WhyNot("no archive"),
      key + "is no TorchScript file; write one with torch.jit.script(model).save(\"model.pt\")");
  EXPECT_THAT(WhyNot("PK\3\4 archive/data.pkl"), HasSubstr("although it may be one of torch.save"));
  const std::string good = Source("return torch.linear(x, self.w)");
  EXPECT_THAT(WhyNot(good.substr(0, good.size() / 2)), HasSubstr(key));
  EXPECT_EQ(WhyNot(Source("return torch.linear(x, self.w)[:, :3]")),
            key +
                "gives Double of (2, 3) for 2 rows, expected (2, 4): a number for each of the 4 "
                "classes");
  EXPECT_EQ(WhyNot(Source("return torch.linear(x, self.w), x")),
            key + "its forward gives 2 values (a tuple), expected one tensor");
  EXPECT_THAT(WhyNot(Source("return torch.linear(x, self.w, self.w)")), HasSubstr(key));
  EXPECT_EQ(WhyNot(Source("return torch.linear(x, self.w)", false)),
            key +
                "has no parameters that are to be trained: all are buffers, or have "
                "requires_grad=False");
  EXPECT_EQ(WhyNot(Source("return x[:, :4] + 0.0 * self.w.detach()[0, 0]")),
            key +
                "its output does not depend on any parameter when it trains: there is nothing to "
                "train");
  ScriptParts empty;
  empty.source = "def forward(self, x):\n    return torch.flatten(x, 1)[:, :4]\n";
  EXPECT_THAT(WhyNot(TorchScriptFile(empty)), HasSubstr("has no parameters: there is nothing"));
  ScriptParts unused;
  unused.parameters.emplace_back("w", at::ones({4, 64}).set_requires_grad(true));
  unused.parameters.emplace_back("idle", at::ones({4}).set_requires_grad(true));
  unused.source = "def forward(self, x):\n    return torch.linear(torch.flatten(x, 1), self.w)\n";
  EXPECT_EQ(WhyNot(TorchScriptFile(unused)),
            key +
                "its parameter 'idle' takes no part in the output: remove it, or set "
                "requires_grad=False");
  ScriptParts two = unused;
  two.source = "def forward(self, x, y):\n    return torch.linear(x, self.w) + y\n";
  EXPECT_EQ(
      WhyNot(TorchScriptFile(two)),
      key + "its forward takes 2 arguments, but spec.data gives 1: the numbers of the samples");
}

// Of a job whose samples are no less than 0; what a model is tried on is not.
absl::Status FirstStep(const std::string& file) {
  std::unique_ptr<Engine> engine = MakeEngine();
  EngineSettings settings;
  settings.spec = Spec(config::Recipe::kTorchScript);
  settings.model_file = With(file).model_file;
  EXPECT_TRUE(engine->Prepare(settings, {&Images(), nullptr}).ok());
  Listener listener;
  EXPECT_TRUE(engine
                  ->Join({base::Generation(1), 0, 1, "127.0.0.1", listener.port, listener.fd, 0},
                         StartAfresh)
                  .ok());
  absl::Status status = engine->Step({}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  return status;
}

// A parameter that a later step does not use would leave the other ranks waiting for its gradient.
TEST(TorchScript, ParameterUnusedInAStep_IsNamed) {
  ScriptParts parts;
  parts.parameters.emplace_back("w", at::ones({4, 64}).set_requires_grad(true));
  parts.parameters.emplace_back("b", at::ones({4}).set_requires_grad(true));
  parts.source = R"(
def forward(self, x):
    y = torch.linear(torch.flatten(x, 1), self.w)
    if bool(torch.min(x) < 0.0):
        y = y + self.b
    return y
)";
  EXPECT_THAT(FirstStep(TorchScriptFile(parts)).message(),
              HasSubstr("in step 1 the parameter 'b' took no part"));
}

// So that ranks cannot come to differ without a word.
TEST(TorchScript, BufferChangedNowAndThen_IsNamed) {
  for (const char* change : {"self.seen.add_(1)", "self.seen = self.seen + 1"}) {
    ScriptParts parts;
    parts.parameters.emplace_back("w", at::ones({4, 64}).set_requires_grad(true));
    parts.buffers.emplace_back("seen", at::zeros({}, at::kLong));
    parts.source = "def forward(self, x):\n    if bool(torch.min(x) >= 0.0):\n        " +
                   std::string(change) + "\n    return torch.linear(torch.flatten(x, 1), self.w)\n";
    EXPECT_THAT(FirstStep(TorchScriptFile(parts)).message(),
                HasSubstr("changes its buffer 'seen', which it did not when it was tried"));
  }
}

}  // namespace
}  // namespace coxswain::trainer::engine
