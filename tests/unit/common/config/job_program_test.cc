// Jobs with a program of the user's own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/common/config/example_job.h"

namespace coxswain::config {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Job(const std::string& spec) {
  return "apiVersion: coxswain/v1\nkind: TrainingJob\nmetadata: {name: own}\nspec:\n" + spec;
}

std::string MistakeIn(const std::string& spec) {
  auto parsed = ParseJob(Job(spec), "job.yaml", {});
  auto* mistakes = std::get_if<std::vector<Mistake>>(&parsed);
  if (mistakes == nullptr) return "(none)";
  std::string text = ToString(*mistakes);
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

TEST(JobProgram, ArgumentsAreKeptAsTheyAre) {
  const JobSpec spec = Parsed(Job("  command: [python3, train.py, '--name=a b', '', \"x\\ny\"]\n"
                                  "  working_dir: /srv/x\n"))
                           .spec;
  EXPECT_TRUE(spec.HasProgram());
  EXPECT_THAT(spec.program.command, ElementsAre("python3", "train.py", "--name=a b", "", "x\ny"));
  EXPECT_EQ(spec.program.working_dir, "/srv/x");
  EXPECT_FALSE(spec.checkpoint.by_every_rank);
}

TEST(JobProgram, OneTextIsForTheShell) {
  const JobSpec spec = Parsed(Job("  command: |\n    cd /srv\n    ./train\n"
                                  "  checkpoint: {saved_by: every_rank}\n"))
                           .spec;
  EXPECT_THAT(spec.program.command, ElementsAre("/bin/sh", "-c", "cd /srv\n./train\n"));
  EXPECT_TRUE(spec.checkpoint.by_every_rank);
}

TEST(JobProgram, ManyRanksAndGpusAreItsOwnAffair) {
  const ParsedJob job = Parsed(Job("  command: [x]\n  workers: 4096\n  resources: {gpus: 8}\n"));
  EXPECT_THAT(job.warnings, IsEmpty());
}

TEST(JobProgram, WhatItCannotBe) {
  EXPECT_EQ(MistakeIn("  command: []\n"),
            "job.yaml:5: spec.command: found a list, expected a program and its arguments, such as "
            "[python3, train.py, --epochs, '3'], or one text for /bin/sh");
  EXPECT_THAT(MistakeIn("  command: ['']\n"), ::testing::HasSubstr("\"\" in the list"));
  EXPECT_THAT(MistakeIn("  command: {a: b}\n"),
              ::testing::HasSubstr("found a section with keys, expected a program"));
  EXPECT_THAT(MistakeIn("  command: [\"a\\0b\"]\n"), ::testing::HasSubstr("in the list, expected"));
  EXPECT_THAT(
      MistakeIn("  command: [x]\n  working_dir: here\n"),
      ::testing::HasSubstr("job.yaml:6: spec.working_dir: found \"here\", expected an absolute "
                           "path: it is one on the workers' machines (without spec.code)"));
  EXPECT_THAT(MistakeIn("  command: [x]\n  code: src\n  working_dir: a/../../b\n"),
              ::testing::HasSubstr("found \"a/../../b\", which leads out of spec.code"));
  EXPECT_THAT(MistakeIn("  code: src\n"), ::testing::HasSubstr("spec.code: needs spec.command"));
}

TEST(JobProgram, WhatBelongsToRecipesAlone_AndToProgramsAlone) {
  EXPECT_EQ(MistakeIn("  command: [x]\n  model: {recipe: cnn}\n"),
            "job.yaml:6: spec.model: belongs to recipes, but the job has a program of its own "
            "(spec.command)");
  EXPECT_EQ(MistakeIn("  command: [x]\n  checkpoint: {every_steps: 5}\n"),
            "job.yaml:6: spec.checkpoint.every_steps: belongs to recipes: the program "
            "(spec.command) says when it has saved");
  EXPECT_THAT(MistakeIn("  working_dir: /srv\n"),
              ::testing::HasSubstr("spec.working_dir: needs spec.command"));
  EXPECT_THAT(MistakeIn("  checkpoint: {saved_by: rank_0}\n"),
              ::testing::HasSubstr("spec.checkpoint.saved_by: needs spec.command"));
  EXPECT_THAT(MistakeIn("  workers: 2\n"), ::testing::HasSubstr("(or spec.command)"));
}

}  // namespace
}  // namespace coxswain::config
