#include "common/config/job_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/common/config/example_job.h"

namespace coxswain::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(JobParser, ReadsEveryKindOfValue) {
  const JobSpec job = Parsed(kJob).spec;
  EXPECT_EQ(job.metadata.name, "digits");
  EXPECT_EQ(job.metadata.labels.at("team"), "vision");
  EXPECT_EQ(job.workers, 2u);
  EXPECT_EQ(job.resources.memory_bytes, int64_t{2} << 30);
  EXPECT_THAT(job.model.channels, ElementsAre(16, 32));
  EXPECT_EQ(job.data.train.images, "train-images.gz");
  EXPECT_EQ(job.data.evaluate->labels, "file:///data/t10k-labels.gz");
  EXPECT_EQ(job.train.epochs, 3);
  EXPECT_DOUBLE_EQ(job.train.optimizer.learning_rate, 2e-3);
  EXPECT_EQ(job.train.schedule.name, ScheduleName::kCosine);
  EXPECT_EQ(job.checkpoint.every_time, std::chrono::minutes(5));
  EXPECT_EQ(job.time_limit, std::chrono::minutes(90));
  EXPECT_EQ(job.env.at("OMP_NUM_THREADS"), "1");
}

TEST(JobParser, PlacementIsRead) {
  const std::string with_gpu = Replaced("{cpus: 1, memory: 2GiB}", "{gpus: 1}");
  auto result = ParseJob(with_gpu, "job.yaml",
                         {"spec.placement.node_selector.zone=a",
                          "spec.placement.gpu_kinds=[H200, H100]", "spec.placement.within=rack"});
  ASSERT_TRUE(std::holds_alternative<ParsedJob>(result));
  const Placement& placement = std::get<ParsedJob>(result).spec.placement;
  EXPECT_EQ(placement.node_selector.at("zone"), "a");
  EXPECT_THAT(placement.gpu_kinds, ElementsAre("H200", "H100"));
  EXPECT_EQ(placement.within, Within::kRack);
  EXPECT_THAT(MistakesIn(kJob, {"spec.placement.gpu_kinds=[H200]"}),
              ElementsAre(HasSubstr("needs spec.resources.gpus of at least 1, found 0")));
  EXPECT_THAT(MistakesIn(kJob, {"spec.placement.within=rak"}),
              ElementsAre(HasSubstr("did you mean 'rack'?")));
}

TEST(JobParser, SgdHasNoWeightDecayUnlessGiven) {
  const std::string adamw = "{name: adamw, learning_rate: 2e-3}";
  EXPECT_DOUBLE_EQ(Parsed(kJob).spec.train.optimizer.weight_decay, 0.01);
  EXPECT_DOUBLE_EQ(Parsed(Replaced(adamw, "{name: sgd}")).spec.train.optimizer.weight_decay, 0.0);
  const JobSpec given = Parsed(Replaced(adamw, "{name: sgd, weight_decay: 0.1}")).spec;
  EXPECT_DOUBLE_EQ(given.train.optimizer.weight_decay, 0.1);
}

TEST(JobParser, OptimizerIsShardedIfToldSo) {
  EXPECT_FALSE(Parsed(kJob).spec.train.optimizer.sharded);
  EXPECT_TRUE(Parsed(kJob, {"spec.train.optimizer.sharded=true"}).spec.train.optimizer.sharded);
  const std::string adamw = "{name: adamw, learning_rate: 2e-3}";
  EXPECT_TRUE(Parsed(Replaced(adamw, "{name: sgd, momentum: 0.9, sharded: true}"))
                  .spec.train.optimizer.sharded);
}

TEST(JobParser, PrecisionIsByTheNamesOfPyTorchsUsers) {
  EXPECT_EQ(Parsed(kJob, {"spec.train.precision=bf16"}).spec.train.precision, Precision::kBf16);
  EXPECT_THAT(MistakesIn(kJob, {"spec.train.precision=bfloat16"}),
              ElementsAre(HasSubstr("expected one of float32, float64, bf16")));
}

TEST(JobParser, Tf32IsAsPyTorchHasIt_OrByName) {
  EXPECT_EQ(Parsed(kJob).spec.train.tf32, Tf32::kConvolutions);
  EXPECT_EQ(Parsed(kJob, {"spec.train.tf32=none"}).spec.train.tf32, Tf32::kNone);
  EXPECT_EQ(Parsed(kJob, {"spec.train.tf32=all"}).spec.train.tf32, Tf32::kAll);
  EXPECT_THAT(MistakesIn(kJob, {"spec.train.tf32=true"}),
              ElementsAre(HasSubstr("expected one of none, convolutions, all")));
}

TEST(JobParser, TheAverageOfTheWeightsNeedsItsDecay) {
  const Train train = Parsed(kJob, {"spec.train.ema={decay: 0.999, warmup: true}"}).spec.train;
  EXPECT_DOUBLE_EQ(train.ema.decay, 0.999);
  EXPECT_TRUE(train.ema.warmup);
  EXPECT_EQ(Parsed(kJob).spec.train.ema.decay, 0);
  EXPECT_THAT(MistakesIn(kJob, {"spec.train.ema={warmup: true}"}),
              ElementsAre(HasSubstr("how much of the average each step keeps, such as 0.999")));
  EXPECT_THAT(MistakesIn(kJob, {"spec.train.ema={decay: 1}"}),
              ElementsAre(HasSubstr("spec.train.ema.decay: found")));
}

TEST(JobParser, TextWithoutOverridesIsKeptAsItIs) { EXPECT_EQ(Parsed(kJob).yaml, kJob); }

struct BadCase {
  const char* from;
  const char* to;
  const char* expected;
};

// Each case changes one place of kJob and expects exactly one mistake.
class BadJob : public testing::TestWithParam<BadCase> {};

TEST_P(BadJob, IsOneClearLine) {
  EXPECT_THAT(MistakesIn(Replaced(GetParam().from, GetParam().to)),
              ElementsAre(GetParam().expected));
}

constexpr BadCase kNames[] = {
    {"    optimizer:", "    optimiser:",
     "job.yaml:18: unknown key 'optimiser' in spec.train (did you mean 'optimizer'?)"},
    {"  workers: 2", "  worker: 2",
     "job.yaml:7: unknown key 'worker' in spec (did you mean 'workers'?)"},
    {"    epochs: 3", "    zzz: 3", "job.yaml:16: unknown key 'zzz' in spec.train"},
    {"    epochs: 3", "    batchSize: 3",
     "job.yaml:16: unknown key 'batchSize' in spec.train (did you mean 'global_batch_size'?)"},
    {"  workers: 2", "  epochs: 2",
     "job.yaml:7: unknown key 'epochs' in spec (its place is in spec.train)"},
    {"    epochs: 3", "    lr: 3",
     "job.yaml:16: unknown key 'lr' in spec.train (here it is spec.train.optimizer.learning_rate)"},
    {"    epochs: 3", "    epochs: 3\n    max_grad_norm: 1",
     "job.yaml:17: unknown key 'max_grad_norm' in spec.train (here it is spec.train.clip_norm)"},
    {"  workers: 2", "  workers: 2\n  workers: 3",
     "job.yaml:8: duplicate key 'workers' in spec, first given in line 7"},
    {"kind: TrainingJob", "kind: TrainingJob\nSpec: {}",
     "job.yaml:3: unknown key 'Spec' at the top of the file (did you mean 'spec'?)"},
    {"coxswain/v1", "coxswain/v2",
     "job.yaml:1: apiVersion: found \"coxswain/v2\", expected coxswain/v1"},
    {"    epochs: 3", "    \"a\\e[31m\\n\": 3",
     "job.yaml:16: unknown key 'a\\x1b[31m\\x0a' in spec.train"},
    {"recipe: cnn", "recipe: cmn",
     "job.yaml:10: spec.model.recipe: found \"cmn\", expected one of mlp, cnn, resnet, gpt, llama "
     "(did you "
     "mean "
     "'cnn'?)"},
    {"name: digits", "name: My Digits",
     "job.yaml:4: metadata.name: found \"My Digits\", expected 1 to 63 of a-z, 0-9 and -, not - at "
     "an "
     "end (did you mean 'my-digits'?)"},
    {"name: digits", "name: j12",
     "job.yaml:4: metadata.name: found \"j12\", which reads like a job's id; choose another name"},
    {"name: digits", "name: \"a\\eb\"",
     "job.yaml:4: metadata.name: found \"a\\x1bb\", expected a name such as 'fashion-mnist', "
     "without "
     "control characters"},
    {"{team: vision}", "{\"te am\": vision}",
     "job.yaml:5: metadata.labels: found the label \"te am\", expected a name of 1 to 63 letters, "
     "digits, . _ - /"},
    {"name: digits", "name:",
     "job.yaml:4: metadata.name: found nothing, expected a name such as "
     "'fashion-mnist'"},
    {"  name: digits\n", "",
     "job.yaml:3: missing key 'name' in metadata: expected a name such as "
     "'fashion-mnist'"},
    {"images: train-images.gz, ", "",
     "job.yaml:13: missing key 'images' in spec.data.train: expected an IDX file of images (a "
     "path, "
     "file:// or s3://)"},
};
INSTANTIATE_TEST_SUITE_P(Names, BadJob, testing::ValuesIn(kNames));

// What is too much says so by its key, long before the file is too large.
TEST(JobParser, ManyLabels_AreRefusedByTheirNumber) {
  for (size_t count : {size_t{65}, size_t{60'000}}) {
    std::string labels;
    for (size_t i = 0; i < count; ++i) labels += (i == 0 ? "l" : ", l") + std::to_string(i) + ": x";
    const std::string found = count == 65 ? "65" : "60,000";
    EXPECT_EQ(MistakesIn(Replaced("team: vision", labels)),
              std::vector<std::string>{"job.yaml:5: metadata.labels: found " + found +
                                       " names, expected at most 64"});
  }
}

constexpr BadCase kTypes[] = {
    {"epochs: 3", "epochs: three",
     "job.yaml:16: spec.train.epochs: found \"three\", expected a whole number from 1 to 1000000"},
    {"epochs: 3", "epochs: \"3\"",
     "job.yaml:16: spec.train.epochs: found the text \"3\" in quotes, expected a whole number from "
     "1 "
     "to 1000000"},
    {"epochs: 3", "epochs: [3]",
     "job.yaml:16: spec.train.epochs: found a list, expected a whole number from 1 to 1000000"},
    {"epochs: 3", "epochs: 3.5",
     "job.yaml:16: spec.train.epochs: found \"3.5\", expected a whole number from 1 to 1000000"},
    {"epochs: 3", "epochs:",
     "job.yaml:16: spec.train.epochs: found nothing, expected a whole number "
     "from 1 to 1000000"},
    {"epochs: 3", "seed: -1",
     "job.yaml:16: spec.train.seed: found \"-1\", expected a whole number of at "
     "least 0"},
    {"epochs: 3", "epochs: 99999999999999999999",
     "job.yaml:16: spec.train.epochs: found \"99999999999999999999\", expected a whole number from "
     "1 "
     "to 1000000"},
    {"{name: cosine, warmup_steps: 100}", "cosine",
     "job.yaml:19: spec.train.schedule: found \"cosine\", expected a section with keys"},
    {"[16, 32]", "16",
     "job.yaml:11: spec.model.channels: found \"16\", expected a list of 1 to 16 whole "
     "numbers from 1 to 65536, such as [32, 64]"},
    {"[16, 32]", "[16, x]",
     "job.yaml:11: spec.model.channels: found \"x\" in the list, expected a list of 1 to 16 whole "
     "numbers from 1 to 65536, such as [32, 64]"},
    {"recipe: cnn", "batch_norm: yes",
     "job.yaml:10: spec.model.batch_norm: found \"yes\", expected true or false"},
    {"every_time: 5m", "every_time: 300",
     "job.yaml:20: spec.checkpoint.every_time: found \"300\", expected a duration such as 90s, 5m "
     "or "
     "2h (did you mean '300s'?)"},
    {"memory: 2GiB", "memory: 2Gi",
     "job.yaml:8: spec.resources.memory: found \"2Gi\", expected a size such as 8GiB or 512MiB "
     "(did "
     "you mean '2GiB'?)"},
    {"{team: vision}", "vision",
     "job.yaml:5: metadata.labels: found \"vision\", expected names and "
     "values, such as {team: vision}"},
};
INSTANTIATE_TEST_SUITE_P(Types, BadJob, testing::ValuesIn(kTypes));

constexpr BadCase kRanges[] = {
    {"workers: 2", "workers: 0",
     "job.yaml:7: spec.workers: found \"0\", expected a whole number from 1 to "
     "4096"},
    {"learning_rate: 2e-3", "learning_rate: 0",
     "job.yaml:18: spec.train.optimizer.learning_rate: found \"0\", expected a number above 0 and "
     "at "
     "most 1000"},
    {"learning_rate: 2e-3", "learning_rate: .nan",
     "job.yaml:18: spec.train.optimizer.learning_rate: found \".nan\", expected a number above 0 "
     "and at "
     "most 1000"},
    {"recipe: cnn", "dropout: 1",
     "job.yaml:10: spec.model.dropout: found \"1\", expected a number from 0 "
     "to below 1"},
    {"time_limit: 1h30m", "time_limit: 10ms",
     "job.yaml:21: spec.time_limit: found 10ms, expected 0 or at least 1s"},
    {"time_limit: 1h30m", "grace: 2d",
     "job.yaml:21: spec.grace: found \"2d\", expected a duration from 1s "
     "to 1d"},
    {"images: train-images.gz", "images: http://x/y",
     "job.yaml:13: spec.data.train.images: found the scheme \"http\", expected a path, file:// or "
     "s3://"},
    {"images: train-images.gz", "images: file://x/y",
     "job.yaml:13: spec.data.train.images: found \"file://x/y\", expected an absolute path: "
     "file:///x/y"},
    {"images: train-images.gz", "images: s3://key:secret@bucket/y",
     "job.yaml:13: spec.data.train.images: holds '@': credentials are taken from the worker's "
     "environment, never from a job"},
};
INSTANTIATE_TEST_SUITE_P(Ranges, BadJob, testing::ValuesIn(kRanges));

constexpr BadCase kConflicts[] = {
    {"recipe: cnn", "stem: small",
     "job.yaml:10: spec.model.stem: belongs to recipe resnet, but spec.model.recipe is cnn"},
    {"recipe: cnn", "pool_every: 3",
     "job.yaml:10: spec.model.pool_every: found 3, expected at most 2, the number of blocks "
     "(spec.model.channels)"},
    {"recipe: cnn", "recipe: mlp",
     "job.yaml:11: spec.model.channels: belongs to recipe cnn, but spec.model.recipe is mlp"},
    {"{name: adamw, learning_rate: 2e-3}", "{name: sgd, beta1: 0.5}",
     "job.yaml:18: spec.train.optimizer.beta1: belongs to adamw, but spec.train.optimizer.name is "
     "sgd"},
    {"{name: adamw, learning_rate: 2e-3}", "{momentum: 0.9}",
     "job.yaml:18: spec.train.optimizer.momentum: belongs to sgd, but spec.train.optimizer.name is "
     "adamw"},
    {"{name: adamw, learning_rate: 2e-3}", "{name: sgd, nesterov: true}",
     "job.yaml:18: spec.train.optimizer.nesterov: needs a momentum above 0"},
    {"{name: adamw, learning_rate: 2e-3}", "{name: sgd, sharded: true}",
     "job.yaml:18: spec.train.optimizer.sharded: needs an optimizer that keeps a state: adamw, or "
     "sgd with a momentum above 0"},
    {"{name: adamw, learning_rate: 2e-3}", "{sharded: 2}",
     "job.yaml:18: spec.train.optimizer.sharded: found \"2\", expected true or false"},
    {"{name: adamw, learning_rate: 2e-3}", "{name: sgd, decay: matrices}",
     "job.yaml:18: spec.train.optimizer.decay: needs a weight_decay above 0"},
    {"{name: cosine, warmup_steps: 100}", "{final_fraction: 0.1}",
     "job.yaml:19: spec.train.schedule.final_fraction: belongs to cosine and linear, but "
     "spec.train.schedule.name is constant"},
    {"epochs: 3", "max_steps: 50",
     "job.yaml:19: spec.train.schedule.warmup_steps: found 100, but training ends after 50 steps "
     "(spec.train.max_steps)"},
    {"global_batch_size: 256", "global_batch_size: 1",
     "job.yaml:17: spec.train.global_batch_size: found 1 samples a step for 2 workers; expected at "
     "least one sample for each"},
    {"global_batch_size: 256", "micro_batch_size: 128",
     "job.yaml:17: spec.train.micro_batch_size: a global batch of 128 makes 1 micro-batch(es) of "
     "128, "
     "but there are 2 workers; expected at most 64"},
    {"{every_time: 5m, keep: 2}", "{store: file:///ckpt, region: eu}",
     "job.yaml:20: spec.checkpoint.region: belongs to s3:// stores, but spec.checkpoint.store is "
     "not "
     "one"},
    {"OMP_NUM_THREADS: \"1\"", "RANK: \"1\"",
     "job.yaml:22: spec.env: found the variable 'RANK', which Coxswain sets for every rank itself"},
};
INSTANTIATE_TEST_SUITE_P(Conflicts, BadJob, testing::ValuesIn(kConflicts));

TEST(JobParser, AllMistakesComeAtOnceInFileOrder) {
  std::string yaml = Replaced("workers: 2", "workers: many");
  yaml.replace(yaml.find("recipe: cnn"), 11, "recipe: rnn");
  yaml += "  tiem_limit: 3h\nextra: 1\n";
  EXPECT_THAT(MistakesIn(yaml), ElementsAre(HasSubstr("job.yaml:7: spec.workers"),
                                            HasSubstr("job.yaml:10: spec.model.recipe"),
                                            HasSubstr("job.yaml:23: unknown key 'tiem_limit'"),
                                            HasSubstr("job.yaml:24: unknown key 'extra'")));
}

TEST(JobParser, FilesThatAreNoJobAtAll) {
  EXPECT_THAT(MistakesIn(""), ElementsAre(HasSubstr("job.yaml: the file is empty")));
  EXPECT_THAT(MistakesIn("# only a comment\n"), ElementsAre(HasSubstr("the file is empty")));
  EXPECT_THAT(MistakesIn("- a\n- b\n"), ElementsAre(HasSubstr("job.yaml:1: found a list")));
  EXPECT_THAT(MistakesIn("a: [1, 2\nb: 3\n"), ElementsAre(HasSubstr("not valid YAML")));
  EXPECT_THAT(MistakesIn("a:\n\tb: 3\n"), ElementsAre(HasSubstr("this line has a tab")));
  EXPECT_THAT(MistakesIn("a: 1\n---\nb: 2\n"), ElementsAre(HasSubstr("found 2 documents")));
  EXPECT_THAT(MistakesIn("a: 1\nb: \x01\n"),
              ElementsAre(HasSubstr("job.yaml:2: found the byte \"\\x01\"")));
  EXPECT_THAT(MistakesIn("a: \xff\xfe\n"), ElementsAre(HasSubstr("expected text in UTF-8")));
  EXPECT_THAT(MistakesIn(std::string((1 << 20) + 1, ' ')), ElementsAre(HasSubstr("at most 1MiB")));
  EXPECT_THAT(MistakesIn(std::string(50'000, '[')), ElementsAre(HasSubstr("nested deeper")));
  EXPECT_THAT(MistakesIn("a: \xc2\x9b\n"), ElementsAre(HasSubstr("control characters")));
  EXPECT_THAT(MistakesIn("a: x\u202ey\n"), ElementsAre(HasSubstr("control characters")));
  EXPECT_THAT(MistakesIn("? [a, b]\n: 1\n"), testing::Contains(HasSubstr("found a list as a key")));
  EXPECT_THAT(MistakesIn("a: *nowhere\n"), ElementsAre(HasSubstr("not valid YAML")));
}

TEST(JobParser, DeepNestingIsRefusedNotCrashedOn) {
  EXPECT_THAT(MistakesIn(std::string(20'000, '[')), Not(IsEmpty()));
}

TEST(JobParser, ThousandsOfMistakesAreCut) {
  std::string yaml = kJob;
  for (int i = 0; i < 2000; ++i) yaml += "k" + std::to_string(i) + ": 1\n";
  const std::vector<std::string> lines = MistakesIn(yaml);
  ASSERT_EQ(lines.size(), 101u);
  EXPECT_EQ(lines.back(), "job.yaml: and 1900 more mistakes");
}

TEST(JobParser, SecretValuesAreNotInMessages) {
  const auto lines = MistakesIn(Replaced("API_KEY: hunter2hunter2", "API_KEY: \"hunter2\\e\""));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_THAT(lines[0], Not(HasSubstr("hunter2")));
}

TEST(JobParser, OverridesReplaceAddAndKeepTheirOrder) {
  const ParsedJob job = Parsed(
      kJob, {"spec.train.epochs=5", "spec.train.epochs=7", "spec.retries.max_attempts=1",
             "spec.model.hidden=[64, 32]", "metadata.labels.cost.center=a: b", "spec.env.MODE="});
  EXPECT_EQ(job.spec.train.epochs, 7);
  EXPECT_EQ(job.spec.retries.max_attempts, 1u);
  EXPECT_THAT(job.spec.model.hidden, ElementsAre(64, 32));
  EXPECT_EQ(job.spec.metadata.labels.at("cost.center"), "a: b");
  EXPECT_EQ(job.spec.env.at("MODE"), "");
}

TEST(JobParser, TextWithOverridesMeansTheSameWhenReadAgain) {
  const std::vector<std::string> overrides = {"metadata.name=other",
                                              "spec.env.A=true",
                                              "spec.env.B=~",
                                              "spec.env.C= padded ",
                                              "spec.env.D=# x",
                                              "spec.env.E=a\"b'c",
                                              "spec.checkpoint.store=s3://bucket/x"};
  const ParsedJob once = Parsed(kJob, overrides);
  const ParsedJob again = Parsed(once.yaml);
  EXPECT_EQ(again.spec.env, once.spec.env);
  EXPECT_EQ(again.spec.env.at("C"), " padded ");
  EXPECT_EQ(again.spec.metadata.name, "other");
  EXPECT_EQ(again.spec.checkpoint.store, "s3://bucket/x");
  EXPECT_EQ(again.spec.time_limit, once.spec.time_limit);
}

TEST(JobParser, WrongOverridesAreNamed) {
  EXPECT_THAT(
      MistakesIn(kJob, {"spec.trian.epochs=3"}),
      ElementsAre(
          "--set spec.trian.epochs=3: unknown key 'trian' in spec (did you mean 'train'?)"));
  EXPECT_THAT(
      MistakesIn(kJob, {"spec.train.epochs=x"}),
      ElementsAre("--set spec.train.epochs=x: spec.train.epochs: found \"x\", expected a whole "
                  "number from 1 to 1000000"));
  EXPECT_THAT(
      MistakesIn(kJob, {"spec.train.epochs"}),
      ElementsAre("--set spec.train.epochs: expected KEY=VALUE, such as spec.train.epochs=3"));
  EXPECT_THAT(MistakesIn(kJob, {"spec.workers.x=3"}),
              ElementsAre("--set spec.workers.x=3: spec.workers is \"2\" here, which has no keys "
                          "below it"));
  EXPECT_THAT(MistakesIn(kJob, {"spec..x=3"}), ElementsAre(HasSubstr("found an empty name")));
  EXPECT_THAT(MistakesIn(kJob, {"spec.model.hidden=[1"}),
              testing::Contains(HasSubstr("--set spec.model.hidden=[1: not valid YAML")));
}

TEST(JobParser, UselessSettingsAreWarnedOf) {
  const std::string yaml = Replaced("{cpus: 1, memory: 2GiB}", "{gpus: 2}");
  EXPECT_THAT(Parsed(yaml).warnings,
              ElementsAre(HasSubstr("a rank trains on one GPU: the others of its 2 would be "
                                    "reserved and idle; for more GPUs set spec.workers")));
  EXPECT_THAT(Parsed(kJob).warnings, IsEmpty());
}

}  // namespace
}  // namespace coxswain::config
