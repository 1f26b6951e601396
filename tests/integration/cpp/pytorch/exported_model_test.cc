// What PyTorch's strict loading asks of an exported model besides its tensors; that it then loads
// is seen in same_losses_test.cc.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/unit/trainer/engine/ranks.h"
#include "trainer/runtime/model_export.h"

namespace coxswain::trainer::engine {
namespace {

TEST(ExportedModel, CountsTheBatchesOfItsNorms) {
  std::string pattern = std::filesystem::temp_directory_path() / "exportedXXXXXX";
  const std::string folder = mkdtemp(pattern.data());
  const auto set = MakeImages(20, 8, 4);
  EngineSettings settings;
  settings.spec.model.recipe = config::Recipe::kCnn;
  settings.spec.model.batch_norm = true;
  settings.spec.data.classes = 4;
  std::unique_ptr<Engine> engine = MakeEngine();
  ASSERT_TRUE(engine->Prepare(settings, {set.get(), nullptr}).ok());
  auto uri = ExportModel(*engine, /*step=*/7, {folder, "model"});
  ASSERT_TRUE(uri.ok()) << uri.status();
  std::ifstream file(folder + "/model/model.safetensors", std::ios::binary);
  std::stringstream all;
  all << file.rdbuf();
  const std::string bytes = all.str();
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  const auto tensors = nlohmann::json::parse(bytes.substr(8, header));
  for (const char* norm : {"blocks.0.norm", "blocks.1.norm"}) {
    const auto& count = tensors.at(std::string(norm) + ".num_batches_tracked");
    EXPECT_EQ(count["dtype"], "I64");
    EXPECT_TRUE(count["shape"].empty());
    int64_t batches = 0;
    std::memcpy(&batches, bytes.data() + 8 + header + count["data_offsets"][0].get<size_t>(), 8);
    EXPECT_EQ(batches, 7);
    EXPECT_TRUE(tensors.contains(std::string(norm) + ".running_var"));
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace coxswain::trainer::engine
