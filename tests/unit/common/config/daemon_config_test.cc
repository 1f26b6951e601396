#include "common/config/daemon_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <sstream>

namespace coxswain::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <class Result>
std::vector<std::string> Lines(const Result& result) {
  std::vector<std::string> lines;
  if (const auto* mistakes = std::get_if<std::vector<Mistake>>(&result)) {
    for (const Mistake& mistake : *mistakes) lines.push_back(mistake.ToString());
  }
  return lines;
}

std::vector<std::string> CoordinatorMistakes(std::string_view yaml,
                                             const std::vector<std::string>& flags = {}) {
  return Lines(ParseCoordinatorConfig(yaml, "coordinator.yaml", flags));
}
std::vector<std::string> WorkerMistakes(std::string_view yaml) {
  return Lines(ParseWorkerConfig(yaml, "worker.yaml"));
}

std::string AdvertisePlace(std::string_view yaml, const std::vector<std::string>& flags = {}) {
  return std::get<WorkerConfig>(ParseWorkerConfig(yaml, "worker.yaml", flags))
      .advertise_place.ToString();
}

std::string Shipped(const std::string& name) {
  std::ifstream in(COXSWAIN_SOURCE_DIR "/configs/" + name);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(CoordinatorConfig, EmptyFileGivesDefaultsBelowTheDataDirectory) {
  const auto config =
      std::get<CoordinatorConfig>(ParseCoordinatorConfig("", "x", {"data_dir=/var/cox"}));
  EXPECT_EQ(config.data_dir, "/var/cox");
  EXPECT_EQ(config.token_file, "/var/cox/token");
  EXPECT_EQ(config.default_store, "file:///var/cox/store");
  EXPECT_EQ(config.lease, base::seconds(5));
}

TEST(CoordinatorConfig, ReadsKeysAndFlagsWin) {
  const auto config = std::get<CoordinatorConfig>(ParseCoordinatorConfig(
      "lease: 10s\nretention: {metrics: {size: 1GiB}}\nhttp_hosts: [a.example]\n", "x",
      {"lease=20s"}));
  EXPECT_EQ(config.lease, base::seconds(20));
  EXPECT_EQ(config.metrics.size, int64_t{1} << 30);
  EXPECT_THAT(config.http_hosts, ElementsAre("a.example"));
}

TEST(CoordinatorConfig, MistakesAreNamedWithLineAndKey) {
  EXPECT_THAT(
      CoordinatorMistakes("lease: 5\nlisten: localhost\ndata-dir: /x\n"),
      ElementsAre("coordinator.yaml:1: lease: found \"5\", expected a duration such as 90s, 5m "
                  "or 2h (did you mean '5s'?)",
                  "coordinator.yaml:2: listen: found \"localhost\", expected HOST:PORT such as "
                  "127.0.0.1:7070 (port 0: any)",
                  "coordinator.yaml:3: unknown key 'data-dir' at the top of the file (did you "
                  "mean 'data_dir'?)"));
  EXPECT_THAT(
      CoordinatorMistakes("default_store: ./store\n"),
      ElementsAre("coordinator.yaml:1: default_store: found \"./store\", expected file:///PATH "
                  "or s3://BUCKET/PREFIX"));
  EXPECT_THAT(
      CoordinatorMistakes("", {"lease=0s"}),
      ElementsAre(HasSubstr("--set lease=0s: lease: found \"0s\", expected a duration from 1s")));
}

TEST(WorkerConfig, KnowsWhereTheAddressWasSet) {
  EXPECT_EQ(AdvertisePlace("name: a\nadvertise_address: 10.0.0.2\n"),
            "worker.yaml:2: advertise_address: ");
  EXPECT_EQ(AdvertisePlace("advertise_address: 10.0.0.2\n", {"advertise_address=10.0.0.3"}),
            "--set advertise_address=10.0.0.3: advertise_address: ");
}

TEST(CoordinatorConfig, AnotherAddressThanLoopbackNeedsAllowPlaintext) {
  EXPECT_THAT(
      CoordinatorMistakes("listen: 10.0.0.1:7070\n"),
      ElementsAre(testing::AllOf(HasSubstr("coordinator.yaml:1: listen: found \"10.0.0.1:7070\""),
                                 HasSubstr("allow_plaintext: true"))));
  EXPECT_THAT(CoordinatorMistakes("listen: 10.0.0.1:7070\nallow_plaintext: true\n"), ElementsAre());
}

TEST(WorkerConfig, ReadsKeys) {
  const auto config = std::get<WorkerConfig>(ParseWorkerConfig(
      "coordinator: 10.0.0.1:7071\nlabels: {rack: r7}\ntrainer_ports: 29500-29599\n"
      "rank_logs: {file_size: 1MiB, age: 1d}\n",
      "x"));
  EXPECT_EQ(config.coordinator, "10.0.0.1:7071");
  EXPECT_EQ(config.labels.at("rack"), "r7");
  EXPECT_EQ(config.trainer_port_first, 29500);
  EXPECT_EQ(config.trainer_port_last, 29599);
  EXPECT_EQ(config.rank_log_file_size, 1 << 20);
  EXPECT_EQ(config.rank_logs.age, std::chrono::hours(24));
}

TEST(WorkerConfig, MistakesAreNamed) {
  for (const char* range : {"29500", "0-5", "9-5", "1-70000", "1-2x"}) {
    EXPECT_THAT(WorkerMistakes("trainer_ports: " + std::string(range)),
                ElementsAre(HasSubstr("expected a range of ports such as 29500-29599")));
  }
  EXPECT_THAT(WorkerMistakes("name: a b\n"),
              ElementsAre(HasSubstr("worker.yaml:1: name: found \"a b\"")));
  EXPECT_THAT(WorkerMistakes("- x\n"), ElementsAre(HasSubstr("worker.yaml:1: found a list")));
}

TEST(DaemonFlags, KeysAreFlags) {
  const char* argv[] = {
      "cox-worker",    "--data-dir", "/x",    "--rank-logs.files=2", "--labels.a-b", "c",
      "--lifeline-fd", "7",          "--gpus"};
  const auto start = std::get<Start<WorkerConfig>>(ReadWorkerStart(9, argv));
  EXPECT_EQ(start.config.data_dir, "/x");
  EXPECT_EQ(start.config.rank_log_files, 2u);
  EXPECT_EQ(start.config.labels.at("a-b"), "c");
  EXPECT_EQ(start.lifeline_fd, 7);
}

TEST(DaemonFlags, MistakesEndWith78AndNameTheFlag) {
  const auto end_of = [](std::vector<const char*> argv) {
    argv.insert(argv.begin(), "cox-coordinator");
    return std::get<EndNow>(ReadCoordinatorStart(static_cast<int>(argv.size()), argv.data()));
  };
  EXPECT_EQ(end_of({"--lsten", "x"}).code, 78);
  EXPECT_EQ(end_of({"--lsten", "x"}).text,
            "--lsten=x: unknown flag (did you mean '--listen'?); --help lists them all\n");
  EXPECT_EQ(end_of({"--labels", ""}).text, "--labels=: unknown flag; --help lists them all\n");
  EXPECT_THAT(end_of({"--listen", "\"\""}).text, HasSubstr("listen: found '\"\"', expected"));
  EXPECT_THAT(end_of({"--listen"}).text, HasSubstr("--listen: expected a value"));
  EXPECT_THAT(end_of({"serve"}).text, HasSubstr("found \"serve\""));
  EXPECT_THAT(end_of({"--lifeline-fd", "x"}).text, HasSubstr("expected a descriptor"));
  EXPECT_THAT(end_of({"--config", "/nowhere/c.yaml"}).text,
              HasSubstr("/nowhere/c.yaml: cannot be read: No such file"));
  EXPECT_EQ(end_of({"--help"}).code, 0);
  EXPECT_THAT(end_of({"--help"}).text, HasSubstr("--retention.metrics.size"));
  EXPECT_EQ(end_of({"--version"}).code, 0);
}

// The shipped files are the reference: every key is in them, and each value given is the default.
void ExpectDocumented(const std::string& text, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    if (key.ends_with(".*")) continue;
    const std::string leaf = key.substr(key.rfind('.') + 1);
    EXPECT_TRUE(std::regex_search(text, std::regex("(^|[ {#\n])" + leaf + ":"))) << key;
  }
}

TEST(ShippedConfigs, HaveEveryKeyAndTheDefaults) {
  const std::string coordinator = Shipped("coordinator.yaml");
  ExpectDocumented(coordinator, KnownCoordinatorKeys());
  const auto c =
      std::get<CoordinatorConfig>(ParseCoordinatorConfig(coordinator, "coordinator.yaml"));
  const CoordinatorConfig defaults;
  EXPECT_EQ(c.listen, defaults.listen);
  EXPECT_EQ(c.lease, defaults.lease);
  EXPECT_EQ(c.finished_jobs.most, defaults.finished_jobs.most);
  EXPECT_EQ(c.events.age, defaults.events.age);
  EXPECT_EQ(c.metrics.size, defaults.metrics.size);
  EXPECT_EQ(c.recording_size, defaults.recording_size);
  EXPECT_EQ(c.max_active_jobs, defaults.max_active_jobs);

  const std::string worker = Shipped("worker.yaml");
  ExpectDocumented(worker, KnownWorkerKeys());
  const auto w = std::get<WorkerConfig>(ParseWorkerConfig(worker, "worker.yaml"));
  const WorkerConfig worker_defaults;
  EXPECT_EQ(w.rank_log_file_size, worker_defaults.rank_log_file_size);
  EXPECT_EQ(w.rank_logs.size, worker_defaults.rank_logs.size);
  EXPECT_EQ(w.metrics_buffer, worker_defaults.metrics_buffer);
  EXPECT_EQ(w.nvml_library, worker_defaults.nvml_library);
}

}  // namespace
}  // namespace coxswain::config
