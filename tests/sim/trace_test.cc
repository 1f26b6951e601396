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
  EXPECT_THAT(std::string(result.status().message()),
              HasSubstr("giant: spec.workers: needs 9 ranks"));
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
              HasSubstr(":2: duration: found 'x', expected a number from 0 to 30,000,000"));
  EXPECT_THAT(error("timestamp,duration,num_gpus\n2017-10-09 07:01:55,1e14,1\n"),
              HasSubstr(":2: duration: found '1e14', expected a number from 0 to 30,000,000"));
  EXPECT_THAT(error("timestamp,duration,num_gpus\n2017-10-09 07:01:55,1,1.5\n"),
              HasSubstr(":2: num_gpus: found '1.5', expected a whole number from 0 to 100,000"));
  EXPECT_THAT(error("timestamp,duration,num_gpus\n2017-10-09 07:01:55,nan,1\n"),
              HasSubstr(":2: duration: found 'nan'"));
  EXPECT_THAT(
      error("timestamp,duration,num_gpus\n2017-10-09 07:01:55,1,1\n2027-10-09 07:01:55,1,1\n"),
      HasSubstr("timestamp: the last job comes 315532800 s after the first"));
  EXPECT_THAT(error("timestamp,duration,num_gpus\n2017-10-09 07:01:55,1,0\n"),
              HasSubstr("no job that uses GPUs"));
  EXPECT_THAT(error("timestamp,duration,num_gpus\nnow,1,1\n"), HasSubstr(":2: timestamp: found"));
  EXPECT_THAT(error("timestamp,duration,num_gpus\n1,2\n"), HasSubstr("found 2 fields, expected 3"));
  EXPECT_THAT(std::string(ReadBamboo(Write("480000,ad,node1\n")).status().message()),
              HasSubstr(":1: change: found 'ad', expected add or remove"));
}

TEST_F(Files, NoTable_IsSaid) {
  auto error = [&](const std::string& text) {
    return std::string(ReadBamboo(Write(text)).status().message());
  };
  EXPECT_THAT(error(std::string("\x7f"
                                "ELF\0\1",
                                6)),
              HasSubstr(":1: found byte 0x7f at column 1"));
  EXPECT_THAT(error("1,add,n\xff\n"), HasSubstr(":1: found byte 0xff at column 8"));
  EXPECT_THAT(error("1,add,\"n\n"), HasSubstr(":1: a quote (\") is not closed"));
  EXPECT_THAT(error("1,add, \n"), HasSubstr(":1: node: found ' ', expected a name"));
  EXPECT_THAT(error(""), HasSubstr("it has no line"));
  EXPECT_THAT(std::string(ReadBamboo(testing::TempDir()).status().message()),
              HasSubstr("found a folder, expected a CSV file"));
  EXPECT_THAT(std::string(ReadBamboo(path_ + ".not").status().message()),
              HasSubstr("No such file or directory"));
  EXPECT_THAT(std::string(ReadPhilly(Write(""), "", 1).status().message()),
              HasSubstr(":1: found nothing, expected the names of columns: timestamp,duration"));
}

TEST_F(Files, Pollux_JobsHaveNamesAndWholeNumbersOfGpus) {
  auto error = [&](const std::string& row) {
    std::string text = "name,time,application,num_replicas,batch_size\n" + row;
    return std::string(ReadPollux(Write(text), "apps").status().message());
  };
  EXPECT_THAT(error(",1,bert,1,8\n"), HasSubstr(":2: name: found '', expected a name"));
  EXPECT_THAT(error("a,1,bert,1.5,8\n"),
              HasSubstr(":2: num_replicas: found '1.5', expected a whole"));
  EXPECT_THAT(error("a,1,berd,1,8\n"),
              HasSubstr(":2: application: found 'berd', expected one of bert, cifar10"));
  EXPECT_THAT(error(""), HasSubstr("it has no job"));
}

TEST(Trace, Arguments_ThatAreWrong) {
  EXPECT_EQ(Trace({}), 2);
  EXPECT_EQ(Trace({"--help"}), 0);
  EXPECT_EQ(Trace({"--philly", ""}), 2);
  EXPECT_EQ(Trace({"--philly", "a", "--pollux", "b"}), 2);
  EXPECT_EQ(Trace({"--philly", "a", "--nodes", "1.5"}), 2);
  EXPECT_EQ(Trace({"--philly", "a", "--nodes", "1", "--nodes", "2"}), 2);
}

TEST(RunTrace, JobOfNoTimeAtTheVeryBegin_EndsOnce) {
  std::vector<TraceJob> jobs;
  jobs.push_back(Job("a", 0, 1, 0));
  jobs.push_back(Job("b", 0, 1, 100));
  TraceSettings settings = OneNode(core::PolicyName::kFifo);
  settings.penalty = 0;
  auto result = RunTrace(settings, std::move(jobs));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->makespan, 100);
}

}  // namespace
}  // namespace coxswain::sim::trace
