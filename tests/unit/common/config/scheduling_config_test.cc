#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/config/daemon_config.h"

namespace coxswain::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> MistakesOf(std::string_view yaml) {
  std::vector<std::string> lines;
  auto result = ParseCoordinatorConfig(yaml, "c.yaml");
  if (const auto* mistakes = std::get_if<std::vector<Mistake>>(&result)) {
    for (const Mistake& mistake : *mistakes) lines.push_back(mistake.ToString());
  }
  return lines;
}

TEST(SchedulingConfig, AllMistakesOfQueuesAreTold_EachAtItsLine) {
  EXPECT_THAT(MistakesOf("scheduling:\n"
                         "  queues:\n"
                         "    a:\n"
                         "      parent: b\n"
                         "    b:\n"
                         "      parent: a\n"
                         "    research:\n"
                         "      quota: {gpus: 4, cpus: 10}\n"
                         "    vision:\n"
                         "      quota: {gpus: 5, cpus: 11}\n"
                         "      parent: research\n"
                         "    speech:\n"
                         "      parent: reserch\n"
                         "      quota: {gpus: 2}\n"
                         "      limit: {gpus: 1}\n"),
              ElementsAre("c.yaml:4: scheduling.queues.a.parent: a is its own parent: a -> b -> a",
                          "c.yaml:8: scheduling.queues.research.quota: the quotas of the queues "
                          "below it sum up to 11 CPU slots, it has 10",
                          "c.yaml:8: scheduling.queues.research.quota: the quotas of the queues "
                          "below it sum up to 5 GPUs, it has 4",
                          "c.yaml:13: scheduling.queues.speech.parent: there is no queue "
                          "\"reserch\" (did you mean 'research'?)",
                          "c.yaml:14: scheduling.queues.speech.quota: more is guaranteed than its "
                          "limit allows: 2 GPUs, at most 1"));
}

TEST(SchedulingConfig, QueueThatIsItsOwnParent_IsACycle) {
  EXPECT_THAT(MistakesOf("scheduling: {queues: {a: {parent: a}, b: {parent: a}}}"),
              ElementsAre(HasSubstr("scheduling.queues.a.parent: a is its own parent: a -> a")));
}

std::string Chain(int levels) {
  std::string yaml = "scheduling:\n  queues:\n    q1: {}\n";
  for (int i = 2; i <= levels; ++i) {
    yaml += "    q" + std::to_string(i) + ": {parent: q" + std::to_string(i - 1) + "}\n";
  }
  return yaml + "  default_queue: q" + std::to_string(levels) + "\n";
}

TEST(SchedulingConfig, EightLevelsAreTaken_TheFirstBeyondIsTold) {
  EXPECT_THAT(MistakesOf(Chain(8)), IsEmpty());
  EXPECT_THAT(MistakesOf(Chain(11)),
              ElementsAre(HasSubstr("c.yaml:11: scheduling.queues.q9.parent: more than 8 levels: "
                                    "q9 -> q8 -> q7 -> q6 -> q5 -> q4 -> q3 -> q2 -> q1")));
}

TEST(SchedulingConfig, AbsurdNumbers_AreRefused) {
  EXPECT_THAT(
      MistakesOf("scheduling:\n"
                 "  queues:\n"
                 "    a:\n"
                 "      quota: {gpus: -1}\n"
                 "      limit: {cpus: 99999999999}\n"
                 "      user_limit: {jobs: 1.5}\n"
                 "      weight: 0\n"),
      ElementsAre(HasSubstr("c.yaml:4: scheduling.queues.a.quota.gpus: found \"-1\""),
                  HasSubstr("c.yaml:5: scheduling.queues.a.limit.cpus: found \"99999999999\""),
                  HasSubstr("c.yaml:6: scheduling.queues.a.user_limit.jobs: found \"1.5\""),
                  HasSubstr("c.yaml:7: scheduling.queues.a.weight: found \"0\"")));
}

TEST(SchedulingConfig, UserLimitOfNoJobs_IsRefused) {
  EXPECT_THAT(MistakesOf("scheduling: {queues: {a: {user_limit: {jobs: 0}}}}"),
              ElementsAre(HasSubstr("scheduling.queues.a.user_limit.jobs: found \"0\", expected")));
  EXPECT_THAT(MistakesOf("scheduling: {queues: {a: {user_limit: {gpus: 0, jobs: 1}}}}"), IsEmpty());
}

TEST(SchedulingConfig, DefaultQueue_HasToBeOneThatTakesJobs) {
  EXPECT_THAT(MistakesOf("scheduling:\n  default_queue: reserch\n  queues: {research: {}}\n"),
              ElementsAre("c.yaml:2: scheduling.default_queue: found \"reserch\", expected one of "
                          "the queues (did you mean 'research'?)"));
  EXPECT_THAT(MistakesOf("scheduling:\n  default_queue: a\n  queues: {a: {}, b: {parent: a}}\n"),
              ElementsAre(HasSubstr("expected a queue with none below it, such as b")));
}

TEST(SchedulingConfig, Policy_IsOneOfTheNames) {
  EXPECT_THAT(MistakesOf("scheduling: {policy: fiar}"),
              ElementsAre(HasSubstr("did you mean 'fair'?")));
  auto read = ParseCoordinatorConfig("scheduling: {policy: las}", "c.yaml");
  EXPECT_EQ(std::get<CoordinatorConfig>(read).scheduling.policy, base::PolicyName::kLas);
}

}  // namespace
}  // namespace coxswain::config
