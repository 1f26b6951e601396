// What is done with a job's text around its parsing: masking, paths, places.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/common/config/example_job.h"

namespace coxswain::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(MaskSecrets, HidesValuesOfSecretNamesAndAllComments) {
  const std::string masked = MaskSecrets(std::string(kJob) + "# the key is hunter2hunter2\n");
  EXPECT_THAT(masked, Not(HasSubstr("hunter2")));
  EXPECT_THAT(masked, HasSubstr("API_KEY: \"***\""));
  EXPECT_THAT(masked, HasSubstr("OMP_NUM_THREADS: 1"));
  EXPECT_EQ(Parsed(masked).spec.env.at("API_KEY"), "***");
  EXPECT_EQ(Parsed(masked).spec.train.epochs, 3);
}

TEST(MaskSecrets, OfACompleteJob_IsTheSame) {
  for (const char* spec : {"name: a", "env: {API_KEY: hunter2}", "text: \"\\x41\"", "envy: 1"}) {
    std::string text = MaskSecrets(std::string("spec: {") + spec + "}\n");
    EXPECT_EQ(MaskSecretsOfComplete(text), MaskSecrets(text)) << text;
  }
  EXPECT_EQ(MaskSecretsOfComplete("spec: {env: {API_KEY: hunter2}}\n").find("hunter2"),
            std::string::npos);
}

TEST(MaskSecrets, AnchorsDoNotCarryThemOut) {
  const std::string masked = MaskSecrets("spec:\n  env: {A_TOKEN: &t topsecret, B_SECRET: *t}\n");
  EXPECT_THAT(masked, Not(HasSubstr("topsecret")));
}

TEST(MaskSecrets, WhatIsNotYamlIsNotShown) {
  EXPECT_THAT(MaskSecrets("API_KEY: [hunter2"), Not(HasSubstr("hunter2")));
  EXPECT_THAT(MaskSecrets("hunter2"), Not(HasSubstr("hunter2")));
}

TEST(MaskSecrets, KnowsTheNames) {
  for (const char* name : {"API_KEY", "AWS_SECRET", "hf_token", "DB_PASSWORD", "KEY"}) {
    EXPECT_TRUE(IsSecretName(name)) << name;
  }
  for (const char* name : {"KEYBOARD", "TOKENIZERS_PARALLELISM", "PATH"}) {
    EXPECT_FALSE(IsSecretName(name)) << name;
  }
}

TEST(AbsolutePathOverrides, TurnsPathsIntoFileUris) {
  EXPECT_THAT(AbsolutePathOverrides(Parsed(kJob).spec, "/data/jobs"),
              ElementsAre("spec.data.train.images=file:///data/jobs/train-images.gz",
                          "spec.data.evaluate.images=file:///data/t10k-images.gz"));
  const JobSpec up = Parsed(Replaced("train-images.gz", "../x.gz")).spec;
  EXPECT_EQ(AbsolutePathOverrides(up, "/data/jobs")[0], "spec.data.train.images=file:///data/x.gz");
}

TEST(PlaceOfKey, IsALineAnOverrideOrTheNearestSection) {
  EXPECT_EQ(PlaceOfKey(kJob, "job.yaml", {}, "spec.train.epochs"), "job.yaml:16");
  EXPECT_EQ(PlaceOfKey(kJob, "job.yaml", {}, "spec.data.train.images"), "job.yaml:13");
  EXPECT_EQ(PlaceOfKey(kJob, "job.yaml", {}, "spec.checkpoint.store"), "job.yaml:20");
  EXPECT_EQ(PlaceOfKey(kJob, "job.yaml", {"spec.train.epochs=5"}, "spec.train.epochs"),
            "--set spec.train.epochs=5");
  EXPECT_EQ(PlaceOfKey(kJob, "job.yaml", {}, "nothing.like.it"), "job.yaml");
}

TEST(KnownJobKeys, AreListedOnceEach) {
  std::vector<std::string> keys = KnownJobKeys();
  EXPECT_THAT(keys, testing::IsSupersetOf({"apiVersion", "spec.train.optimizer.learning_rate",
                                           "spec.data.evaluate.images", "spec.env.*"}));
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(std::adjacent_find(keys.begin(), keys.end()), keys.end());
}

}  // namespace
}  // namespace coxswain::config
