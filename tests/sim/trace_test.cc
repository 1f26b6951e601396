#include "sim/trace/trace_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace coxswain::sim::trace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TraceJob Job(const std::string& name, double submitted, uint32_t gpus, double seconds) {
  return {name, submitted, gpus, FixedLength(seconds)};
}

TraceSettings OneNode(core::PolicyName policy) {
  TraceSettings settings;
  settings.scheduling.policy = policy;
  settings.nodes = 1;
  return settings;
}

std::vector<double> Ends(const TraceResult& result) {
  std::vector<double> ends;
  for (const TraceRow& row : result.rows) ends.push_back(row.ended);
  return ends;
}

TEST(RunTrace, OneAfterTheOther_EachWithItsStart) {
  std::vector<TraceJob> jobs;
  jobs.push_back(Job("a", 0, 4, 100));
  jobs.push_back(Job("b", 10, 2, 50));
  jobs.push_back(Job("c", 10, 2, 70));
  auto result = RunTrace(OneNode(core::PolicyName::kFifo), std::move(jobs));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(Ends(*result), ElementsAre(130, 210, 230));
  EXPECT_EQ(result->rows[0].gpu_seconds, 4 * 130);
  EXPECT_NEAR(result->utilisation, (4 * 130 + 2 * 80 + 2 * 100) / (4 * 230.0), 1e-9);
}

TEST(RunTrace, LongOneYields_AndGoesOnWhereItWas) {
  std::vector<TraceJob> jobs;
  jobs.push_back(Job("long", 0, 4, 1000));
  jobs.push_back(Job("short", 600, 4, 60));
  TraceSettings settings = OneNode(core::PolicyName::kLas);
  settings.scheduling.las_threshold = base::seconds(4 * 300);
  auto result = RunTrace(settings, std::move(jobs));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(Ends(*result), ElementsAre(1000 + 30 + 90 + 30, 690));
  EXPECT_EQ(result->rows[0].attempts, 2u);
}

TEST(RunTrace, NodeThatIsTakenAway_RestartsItsJobElsewhere) {
  std::vector<TraceJob> jobs;
  jobs.push_back(Job("a", 1, 4, 400));
  TraceSettings settings = OneNode(core::PolicyName::kFifo);
  settings.membership = {
      {0, true, "n1"}, {100, false, "n1"}, {200, true, "n2"}, {9000, true, "n3"}};
  auto result = RunTrace(settings, std::move(jobs));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->rows[0].attempts, 2u);
  EXPECT_GT(result->rows[0].ended, 200 + 30 + 300);
  EXPECT_LT(result->utilisation, 1);
}

TEST(RunTrace, JobThatFitsNowhere_IsNamed) {
  std::vector<TraceJob> jobs;
  jobs.push_back(Job("a", 0, 4, 100));
  jobs.push_back(Job("giant", 0, 9, 100));
  auto result = RunTrace(OneNode(core::PolicyName::kFifo), std::move(jobs));
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("giant: needs 9 ranks"));
}

class Files : public testing::Test {
 protected:
  std::string Write(const std::string& text) {
    std::ofstream(path_) << text;
    return path_;
  }
  void TearDown() override { std::filesystem::remove(path_); }
  std::string path_ = testing::TempDir() + "cox-trace-" + std::to_string(getpid()) + ".csv";
};

TEST_F(Files, Philly_IsReadFromItsFirstJob) {
  auto jobs = ReadPhilly(Write("timestamp,duration,num_gpus,gpu_time,cluster\n"
                               "2017-10-09 07:01:55,66.0,1,66.0,x\n"
                               "2017-10-09 07:01:50,5,8,40,x\n"
                               "2017-10-09 07:00:00,5,8,40,y\n"),
                         "x", 10);
  ASSERT_TRUE(jobs.ok()) << jobs.status();
  ASSERT_EQ(jobs->size(), 2u);
  EXPECT_EQ((*jobs)[0].gpus, 8u);
  EXPECT_EQ((*jobs)[1].submitted, 5);
}

TEST_F(Files, Mistakes_AreNamedWithTheirPlace) {
  auto error = [&](const std::string& text) {
    return std::string(ReadPhilly(Write(text), "", 10).status().message());
  };
  EXPECT_THAT(error("timestamp,duration\n"), HasSubstr(":1: there is no column 'num_gpus'"));
  EXPECT_THAT(error("timestamp,duration,num_gpus\n2017-10-09 07:01:55,x,1\n"),
              HasSubstr(":2: duration: found 'x', expected a number of at least 0"));
  EXPECT_THAT(error("timestamp,duration,num_gpus\nnow,1,1\n"), HasSubstr(":2: timestamp: found"));
  EXPECT_THAT(error("timestamp,duration,num_gpus\n1,2\n"), HasSubstr("found 2 fields, expected 3"));
  EXPECT_THAT(std::string(ReadBamboo(Write("480000,ad,node1\n")).status().message()),
              HasSubstr(":1: found 'ad', expected add or remove"));
}

}  // namespace
}  // namespace coxswain::sim::trace
