// spec.model of models that users bring along.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/common/config/example_job.h"

namespace coxswain::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

std::string Job(const std::string& model) {
  return "apiVersion: coxswain/v1\nkind: TrainingJob\nmetadata: {name: own}\nspec:\n"
         "  model: " +
         model + "\n  data: {train: {images: a.gz, labels: b.gz}}\n";
}

TEST(OwnModel, AModuleOrAPluginWithOptions) {
  const Model module = Parsed(Job("{module: s3://bucket/model.pt}")).spec.model;
  EXPECT_EQ(module.recipe, Recipe::kTorchScript);
  EXPECT_EQ(module.module, "s3://bucket/model.pt");
  EXPECT_TRUE(module.IsOwn());
  EXPECT_TRUE(module.ByMicroBatch());
  const Model plugin =
      Parsed(Job("{plugin: libown.so, options: {width: 64, kind: 'wide one'}}")).spec.model;
  EXPECT_EQ(plugin.recipe, Recipe::kPlugin);
  EXPECT_THAT(plugin.options, ElementsAre(Pair("kind", "wide one"), Pair("width", "64")));
}

TEST(OwnModel, PathsBecomeAbsolute) {
  EXPECT_THAT(AbsolutePathOverrides(Parsed(Job("{module: model.pt}")).spec, "/jobs"),
              testing::Contains("spec.model.module=file:///jobs/model.pt"));
  EXPECT_THAT(AbsolutePathOverrides(Parsed(Job("{plugin: ../libown.so}")).spec, "/jobs"),
              testing::Contains("spec.model.plugin=file:///libown.so"));
}

TEST(OwnModel, AnOptionFromTheCommandLine) {
  auto parsed = ParseJob(Job("{plugin: libown.so}"), "job.yaml", {"spec.model.options.width=5"});
  ASSERT_TRUE(std::holds_alternative<ParsedJob>(parsed));
  EXPECT_THAT(std::get<ParsedJob>(parsed).spec.model.options, ElementsAre(Pair("width", "5")));
}

TEST(OwnModel, NoRecipesKeysBesideIt) {
  EXPECT_THAT(
      MistakesIn(Job("{module: model.pt, recipe: mlp}")),
      ElementsAre("job.yaml:5: spec.model.recipe: cannot stand beside 'module', which gives "
                  "the whole model"));
  EXPECT_THAT(MistakesIn(Job("{module: model.pt, plugin: libown.so}")),
              ElementsAre("job.yaml:5: spec.model.plugin: cannot stand beside 'module'"));
  EXPECT_THAT(MistakesIn(Job("{module: model.pt, hidden: [4], dropout: 0.1, depth: 34}")),
              testing::UnorderedElementsAre(
                  HasSubstr("spec.model.hidden: belongs to recipe cnn or mlp, but the model is a "
                            "file (spec.model.module)"),
                  HasSubstr("spec.model.dropout: belongs to"),
                  HasSubstr("spec.model.depth: belongs to recipe resnet")));
  EXPECT_THAT(MistakesIn(Job("{plugin: libown.so, embedding_dim: 4}")),
              ElementsAre(HasSubstr("belongs to recipe mlp, but the model is a plugin's")));
  EXPECT_THAT(MistakesIn(Job("{module: model.pt, options: {width: 3}}")),
              ElementsAre("job.yaml:5: spec.model.options: needs spec.model.plugin"));
}

TEST(ResNetFrom, AFolderGivesTheShape) {
  const Model model = Parsed(Job("{recipe: resnet, from: resnet-18, head: new}")).spec.model;
  EXPECT_EQ(model.from, "resnet-18");
  EXPECT_TRUE(model.new_head);
  EXPECT_THAT(
      MistakesIn(Job("{recipe: resnet, from: resnet-18, width: 8, depth: 18, stem: small}")),
      UnorderedElementsAre(HasSubstr("spec.model.width: cannot stand beside 'from'"),
                           HasSubstr("spec.model.depth: cannot stand beside 'from'"),
                           HasSubstr("spec.model.stem: cannot stand beside 'from'")));
  EXPECT_EQ(Parsed(Job("{recipe: resnet, width: 32}")).spec.model.resnet_width, 32);
  EXPECT_EQ(Parsed(Job("{recipe: resnet}")).spec.model.resnet_width, 64);
  EXPECT_THAT(
      MistakesIn(Job("{recipe: resnet, width: 5000}")),
      ElementsAre(HasSubstr("spec.model.width: found \"5000\", expected a whole number from 1 to "
                            "4096")));
  EXPECT_THAT(MistakesIn(Job("{recipe: cnn, width: 8}")),
              ElementsAre(HasSubstr("spec.model.width: belongs to recipe gpt, llama or resnet")));
  EXPECT_THAT(MistakesIn(Job("{recipe: resnet, head: new}")),
              ElementsAre("job.yaml:5: spec.model.head: needs spec.model.from"));
  EXPECT_THAT(MistakesIn(Job("{recipe: cnn, from: resnet-18}")),
              ElementsAre(HasSubstr("spec.model.from: belongs to recipe gpt, llama or resnet")));
}

}  // namespace
}  // namespace coxswain::config
