// Each recipe trains as plain PyTorch does, which runs beside it: the same initial weights (from an
// exported model), batches, optimizer and threads give the same losses. In 64 bits over 100 steps,
// and in 32 bits, where roundings grow, over the first 20.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/integration/cpp/peer_python.h"
#include "tests/unit/trainer/data/fake_table.h"
#include "tests/unit/trainer/engine/ranks.h"
#include "tests/unit/trainer/engine/texts.h"
#include "trainer/blob/checkpoint_io.h"
#include "trainer/engine/data/batch_loader.h"
#include "trainer/runtime/model_export.h"

namespace coxswain::trainer::engine {
namespace {

constexpr uint32_t kThreads = 1;  // more of them wait for each other where others work too

// What a batch is made of, as tensors of a file.
struct BatchTensors {
  std::vector<blob::TensorInfo> infos;
  std::vector<const void*> data;

  void Add(std::string name, blob::DType dtype, std::vector<int64_t> shape, const void* bytes) {
    infos.push_back({std::move(name), dtype, std::move(shape)});
    data.push_back(bytes);
  }
  void AddRows(int step, const data::Rows& rows, const data::SampleShape& shape, bool float64) {
    const std::string of_step = std::to_string(step) + ".";
    if (!shape.dense.empty()) {
      std::vector<int64_t> sizes = {rows.count};
      sizes.insert(sizes.end(), shape.dense.begin(), shape.dense.end());
      Add(of_step + "dense", float64 ? blob::DType::kFloat64 : blob::DType::kFloat32, sizes,
          rows.dense.data());
    }
    if (shape.ids_size() > 0) {
      Add(of_step + "ids", blob::DType::kInt64, {rows.count, shape.ids_size()}, rows.ids.data());
    }
    if (shape.labels_size() > 0) {
      Add(of_step + "labels", blob::DType::kInt64, {rows.count, shape.labels_size()},
          rows.labels.data());
    } else {
      Add(of_step + "targets", blob::DType::kFloat64, {rows.count}, rows.targets.data());
    }
  }
};

class SameLosses : public ::testing::Test {
 protected:
  void SetUp() override {
    static const std::string python = PeerPython("torch");
    if (python.empty()) GTEST_SKIP() << NoPeerPython("torch");
    python_ = python;
    std::string pattern = std::filesystem::temp_directory_path() / "pytorchXXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  void Expect(config::JobSpec spec, const data::Dataset& set) {
    spec.workers = 1;
    spec.train.epochs = 20;
    std::string command = python_ + " " + COXSWAIN_PEER_SCRIPT;
    for (const Case& each : kCases) {
      spec.train.precision = each.precision;
      const std::string folder = folder_ + "/" + each.name;
      ASSERT_TRUE(std::filesystem::create_directory(folder));
      WriteModel(folder, spec, set);
      WriteBatches(folder, spec, set, each.steps);
      WriteJob(folder, spec);
      command += " " + folder;
    }
    command += " 2>" + folder_ + "/errors";
    ASSERT_EQ(std::system(command.c_str()), 0) << ReadFile(folder_ + "/errors");
    for (const Case& each : kCases) {
      spec.train.precision = each.precision;
      Compare(each, spec, set);
    }
  }

 private:
  struct Case {
    const char* name;
    config::Precision precision;
    int steps;
    double tolerance;  // relative
  };
  static constexpr Case kCases[] = {{"float64", config::Precision::kFloat64, 100, 1e-9},
                                    {"float32", config::Precision::kFloat32, 20, 1e-4}};

  void Compare(const Case& each, const config::JobSpec& spec, const data::Dataset& set) {
    const std::string folder = folder_ + "/" + each.name, bytes = ReadFile(folder + "/losses");
    std::vector<double> theirs(bytes.size() / sizeof(double));
    std::memcpy(theirs.data(), bytes.data(), bytes.size());
    TrainOptions options;
    options.threads = kThreads;
    const Curve ours = Train(spec, {&set, nullptr}, 1, each.steps, nullptr, options);
    ASSERT_EQ(theirs.size(), static_cast<size_t>(each.steps));
    ASSERT_EQ(ours.losses.size(), theirs.size());
    double largest = 0;
    for (size_t i = 0; i < theirs.size(); ++i) {
      largest = std::max(largest, std::abs(ours.losses[i] - theirs[i]) / theirs[i]);
      EXPECT_NEAR(ours.losses[i], theirs[i], each.tolerance * theirs[i])
          << each.name << ", step " << i + 1;
    }
    EXPECT_GT(std::abs(theirs.back() / theirs.front() - 1), 1e-3);  // the steps count
    std::cout << "[   SAME   ] " << each.name << ": largest relative difference " << largest
              << " in " << each.steps << " steps, from " << theirs.front() << " to "
              << theirs.back() << ", of PyTorch " << ReadFile(folder + "/torch") << std::endl;
  }

  // The model's folder as a job exports it, before its first step.
  void WriteModel(const std::string& folder, const config::JobSpec& spec,
                  const data::Dataset& set) {
    std::unique_ptr<Engine> engine = MakeEngine();
    EngineSettings settings;
    settings.spec = spec;
    ASSERT_TRUE(engine->Prepare(settings, {&set, nullptr}).ok());
    auto uri = ExportModel(*engine, 0, {folder, "model"});
    ASSERT_TRUE(uri.ok()) << uri.status();
  }

  void WriteBatches(const std::string& folder, const config::JobSpec& spec,
                    const data::Dataset& set, int steps) {
    data::LoaderSettings loading;
    loading.plan = {set.size(), spec.train.global_batch_size, spec.train.epochs, steps, 0};
    loading.seed = spec.train.seed;
    loading.float64 = spec.train.precision == config::Precision::kFloat64;
    data::BatchLoader loader(set, loading, 0, 1, 0, 0);
    std::vector<std::unique_ptr<data::Batch>> batches;
    BatchTensors tensors;
    for (int step = 0; step < steps; ++step) {
      auto batch = loader.Next();
      ASSERT_TRUE(batch.ok()) << batch.status();
      batches.push_back(*std::move(batch));
      tensors.AddRows(step, batches.back()->rows, set.shape(), loading.float64);
    }
    auto store = blob::OpenStore(folder, {});
    ASSERT_TRUE(store.ok()) << store.status();
    auto copy = [&](const blob::Piece& piece, char* to) {
      std::memcpy(to, static_cast<const char*>(tensors.data[piece.tensor]) + piece.offset,
                  piece.bytes);
    };
    auto stored = blob::StoreModel(**store, "batches.safetensors", tensors.infos, {}, copy);
    ASSERT_TRUE(stored.ok()) << stored.status();
  }

  void WriteJob(const std::string& folder, const config::JobSpec& spec) {
    const config::Optimizer& optimizer = spec.train.optimizer;
    const bool adamw = optimizer.name == config::OptimizerName::kAdamW;
    const nlohmann::json job = {{"threads", kThreads},
                                {"optimizer", adamw ? "adamw" : "sgd"},
                                {"learning_rate", optimizer.learning_rate},
                                {"weight_decay", optimizer.weight_decay},
                                {"momentum", optimizer.momentum},
                                {"nesterov", optimizer.nesterov}};
    std::ofstream(folder + "/job.json") << job;
  }

  static std::string ReadFile(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  std::string folder_, python_;
};

config::TableData Table(config::TableTask task) {
  config::TableData table;
  table.task = task;
  table.target = task == config::TableTask::kClassification ? "y" : "row";
  table.numeric = {"x", task == config::TableTask::kClassification ? "row" : "y"};
  table.categorical = {"kind"};
  return table;
}

// 103 rows: the last batch of an epoch is smaller.
config::JobSpec TableJob() {
  config::JobSpec spec;
  spec.model.recipe = config::Recipe::kMlp;
  spec.model.hidden = {16, 12};
  spec.train.global_batch_size = 25;
  spec.train.optimizer.learning_rate = 0.01;
  return spec;
}

TEST_F(SameLosses, Mlp_OfClasses_WithAdamW) {
  const data::FakeSet made = data::MakeSet(Table(config::TableTask::kClassification));
  Expect(TableJob(), *made.set);
}

TEST_F(SameLosses, Mlp_OfNumbers_WithSgd) {
  const data::FakeSet made = data::MakeSet(Table(config::TableTask::kRegression));
  config::JobSpec spec = TableJob();
  spec.data.format = "csv";
  spec.data.table.task = config::TableTask::kRegression;
  spec.train.optimizer.name = config::OptimizerName::kSgd;
  spec.train.optimizer.weight_decay = 0;
  spec.train.optimizer.learning_rate = 0.01;
  Expect(spec, *made.set);
}

// 61 images, likewise.
config::JobSpec ImageJob(config::Recipe recipe) {
  config::JobSpec spec;
  spec.model.recipe = recipe;
  spec.model.channels = {6, 8};
  spec.model.hidden = {16};
  spec.data.classes = 4;
  spec.train.global_batch_size = 13;
  spec.train.optimizer.learning_rate = 5e-3;
  return spec;
}

void UseMomentum(config::JobSpec* spec) {
  spec->train.optimizer.name = config::OptimizerName::kSgd;
  spec->train.optimizer.learning_rate = 0.01;
  spec->train.optimizer.weight_decay = 1e-4;
  spec->train.optimizer.momentum = 0.9;
  spec->train.optimizer.nesterov = true;
}

TEST_F(SameLosses, Mlp_OfImages_WithAdamW) {
  Expect(ImageJob(config::Recipe::kMlp), *MakeImages(61, 8, 4));
}

TEST_F(SameLosses, Cnn_WithAdamW) { Expect(ImageJob(config::Recipe::kCnn), *MakeImages(61, 8, 4)); }

TEST_F(SameLosses, Cnn_WithBatchNorm_WithNesterovsMomentum) {
  config::JobSpec spec = ImageJob(config::Recipe::kCnn);
  spec.model.batch_norm = true;
  spec.model.pool_every = 2;
  UseMomentum(&spec);
  Expect(spec, *MakeImages(61, 8, 4));
}

// 150 images in batches of 32. Where a number before a ReLU is zero to the last bit, another
// rounding turns it on or off, and the gradient jumps: with 8 channels of 16 x 16 pixels PyTorch's
// own 32 bits are apart from its 64 bits by 3e-3 within 20 steps. This size has few such numbers.
config::JobSpec ResNetJob() {
  config::JobSpec spec = ImageJob(config::Recipe::kResNet);
  spec.model.resnet_width = 4;
  spec.model.small_stem = true;
  spec.train.global_batch_size = 32;
  return spec;
}

TEST_F(SameLosses, ResNet_WithNesterovsMomentum) {
  config::JobSpec spec = ResNetJob();
  UseMomentum(&spec);
  spec.train.optimizer.learning_rate = 1e-3;
  Expect(spec, *MakeImages(150, 8, 4));
}

TEST_F(SameLosses, ResNet_WithAdamW) {
  config::JobSpec spec = ResNetJob();
  spec.train.optimizer.learning_rate = 2e-4;
  Expect(spec, *MakeImages(150, 8, 4));
}

TEST_F(SameLosses, Gpt_WithAdamW) {
  Expect(TextSpec(config::Recipe::kGpt), *MakeTokens(301, 19, 8));
}

TEST_F(SameLosses, Llama_WithAdamW) {
  Expect(TextSpec(config::Recipe::kLlama), *MakeTokens(301, 19, 8));
}

TEST_F(SameLosses, Llama_WithAnOutputLayerOfItsOwn) {
  config::JobSpec spec = TextSpec(config::Recipe::kLlama);
  spec.model.transformer.tied = false;
  Expect(spec, *MakeTokens(301, 19, 8));
}

}  // namespace
}  // namespace coxswain::trainer::engine
