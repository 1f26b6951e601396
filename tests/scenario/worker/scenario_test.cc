// Runs every *.txt of this folder against the worker's core. A block is a command, "----", and the
// expected decisions up to an empty line. COX_REWRITE=1 writes the files anew: review the diff.
//
// Commands: connect | disconnect REASON... | token-refused | welcome [term=N] [cluster=NAME]
//   [warning=TEXT] | reject REASON... | reject-for-now REASON... | start KEY inc=N [gpu=UUID]
//   [term=N] | stop KEY [grace=MS] ack KEY inc=N | forget JOB | to-trainer KEY inc=N | task N
//   [kind=check|verify] | metrics-ack JOB N running KEY inc=N pid=P | ended KEY inc=N [code=N]
//   [signal=N] | trainer C KEY inc=N | gone C ready C | formed C | progress C | failed C | open C |
//   stored C | manifest C | save-failed C task-stream C N | task-result C RESULT task-exit N
//   [code=C] | gpus UUID[:xid=N|:ecc=N|:pid=N]... | disk TEXT... | wait MS | sigterm lifeline |
//   found KEY inc=N pid=P [signal=N] (before the first other command) | state
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "tests/scenario/worker/decision_text.h"
#include "worker/core/worker.h"

namespace coxswain::worker::core {
namespace {

// The words of a command: "start", "j1/1/0", and what has an "=".
struct Command {
  std::vector<std::string> words;
  std::map<std::string, std::string> named;
  std::string rest;  // after the first word

  explicit Command(const std::string& line) {
    std::istringstream in(line);
    std::string word;
    while (in >> word) {
      size_t equals = word.find('=');
      if (equals != std::string::npos) named[word.substr(0, equals)] = word.substr(equals + 1);
      words.push_back(word);
    }
    size_t space = line.find(' ');
    if (space != std::string::npos) rest = line.substr(space + 1);
  }
  uint64_t Number(const std::string& name, uint64_t fallback = 0) const {
    auto it = named.find(name);
    return it == named.end() ? fallback : strtoull(it->second.c_str(), nullptr, 10);
  }
  std::string Text(const std::string& name, const std::string& fallback = "") const {
    auto it = named.find(name);
    return it == named.end() ? fallback : it->second;
  }
  protocol::RankKey Key(size_t at = 1) const {
    unsigned long job = 0, attempt = 0;
    unsigned rank = 0;
    sscanf(words.at(at).c_str(), "j%lu/%lu/%u", &job, &attempt, &rank);
    return {base::JobId(job), base::Attempt(attempt), rank};
  }
  base::Incarnation Inc() const { return base::Incarnation(Number("inc", 1)); }
  ConnectionId Connection() const {
    return ConnectionId(strtoull(words.at(1).c_str(), nullptr, 10));
  }
};

GpuFacts ParseGpu(const std::string& word, uint32_t index) {
  GpuFacts gpu;
  gpu.uuid = word.substr(0, word.find(':'));
  gpu.index = index;
  uint64_t value = strtoull(word.c_str() + word.rfind('=') + 1, nullptr, 10);
  if (word.find(":xid=") != std::string::npos) gpu.fatal_xid = value;
  if (word.find(":ecc=") != std::string::npos) gpu.uncorrectable_ecc = value;
  if (word.find(":pid=") != std::string::npos) {
    gpu.processes.push_back({static_cast<int64_t>(value), "python3"});
  }
  return gpu;
}

class Scenario {
 public:
  std::string Run(const std::string& line) {
    Command command(line);
    const std::string& verb = command.words.at(0);
    if (verb == "found") return Find(command);
    if (!worker_) {
      Settings settings;
      settings.incarnation = base::Incarnation(5);
      settings.coordinator = "10.0.0.1:7071";
      settings.inventory.cpu_slots = 4;
      worker_.emplace(settings, Identity{base::NodeId("n-1"), {}, {}}, found_);
    }
    if (verb == "state") return worker_->Dump();
    if (verb == "wait") return Wait(command.rest);
    return ToText(worker_->Decide(Event{now_, base::WallTime{1}, ++entropy_, Body(command)}));
  }

 private:
  std::string Find(const Command& c) {
    FoundRank rank;
    rank.start.key = c.Key();
    rank.start.incarnation = c.Inc();
    rank.pid = static_cast<int64_t>(c.Number("pid"));
    if (c.named.contains("signal")) {
      rank.exit.emplace();
      rank.exit->signal = static_cast<int>(c.Number("signal"));
    }
    found_.push_back(rank);
    return "nothing\n";
  }

  // Time passes; deadlines fire when they are due.
  std::string Wait(const std::string& ms) {
    base::Time until = now_ + base::milliseconds(atoll(ms.c_str()));
    std::string out;
    while (true) {
      std::optional<base::Time> due = worker_->NextDeadline();
      if (!due || *due > until) break;
      now_ = std::max(now_, *due);
      out += ToText(worker_->Decide(Event{now_, base::WallTime{1}, ++entropy_, TimePassed{}}));
    }
    now_ = until;
    return out.empty() ? "nothing\n" : out;
  }

  EventBody Body(const Command& c) {
    const std::string& verb = c.words[0];
    if (verb == "connect") return LinkConnected{};
    if (verb == "disconnect") return LinkDisconnected{c.rest, false};
    if (verb == "token-refused") return LinkDisconnected{"wrong token", true};
    if (verb == "sigterm") return StopRequested{};
    if (verb == "lifeline") return LifelineClosed{};
    if (verb == "disk") return ConditionsObserved{{c.rest}, ""};
    if (verb == "no-work") return ConditionsObserved{{}, c.rest};
    if (verb == "gpus") {
      GpusObserved seen;
      for (size_t i = 1; i < c.words.size(); ++i) {
        seen.gpus.push_back(ParseGpu(c.words[i], static_cast<uint32_t>(i - 1)));
      }
      if (seen.gpus.empty()) seen.note = "libnvidia-ml.so.1 not found";
      return seen;
    }
    if (std::optional<EventBody> body = ProcessBody(c)) return *body;
    base::Term term(c.Number("term", term_));
    return OrderReceived{term, Order(c)};
  }

  std::optional<EventBody> ProcessBody(const Command& c) {
    const std::string& verb = c.words[0];
    protocol::ExitRecord exit;
    exit.code = static_cast<int>(c.Number("code"));
    exit.signal = static_cast<int>(c.Number("signal"));
    if (exit.code == 127) exit.note = "the program could not be started: no space";
    if (verb == "running") {
      return RankRunning{c.Key(), c.Inc(), static_cast<int64_t>(c.Number("pid"))};
    }
    if (verb == "ended") return RankEnded{c.Key(), c.Inc(), exit};
    if (verb == "trainer") return TrainerConnected{c.Connection(), {c.Key(2), c.Inc(), {}}};
    if (verb == "gone") return TrainerDisconnected{c.Connection()};
    if (verb == "ready") {
      return TrainerReported{c.Connection(), protocol::TrainerReady{"10.0.0.2:29500", {}}};
    }
    if (verb == "formed") return TrainerReported{c.Connection(), protocol::GenerationFormed{}};
    if (verb == "progress") return TrainerReported{c.Connection(), protocol::TrainerProgress{}};
    if (verb == "failed") return TrainerReported{c.Connection(), protocol::TrainingFailed{}};
    if (verb == "open") return TrainerReported{c.Connection(), protocol::OpenCheckpoint{}};
    if (verb == "stored") return TrainerReported{c.Connection(), protocol::ShardStored{}};
    if (verb == "manifest") return TrainerReported{c.Connection(), protocol::ManifestWritten{}};
    if (verb == "save-failed") return TrainerReported{c.Connection(), protocol::CheckpointFailed{}};
    if (verb == "task-stream") {
      return TrainerConnected{c.Connection(), {{}, {}, base::TaskId(std::stoull(c.words[2]))}};
    }
    if (verb == "task-result") {
      protocol::TaskEnded ended;
      ended.ok = true;
      ended.result = c.words.at(2);
      return TaskReported{c.Connection(), ended};
    }
    if (verb == "task-exit") {
      uint64_t task = std::stoull(c.words[1]);
      // Incarnations of tasks come of the event's entropy; the scenario asks for the latest.
      return TaskProcessEnded{base::TaskId(task), worker_->TaskIncarnation(base::TaskId(task)),
                              exit};
    }
    return std::nullopt;
  }

  protocol::WorkerOrder Order(const Command& c) {
    const std::string& verb = c.words[0];
    if (verb == "welcome") {
      term_ = c.Number("term", term_);
      return protocol::Welcome{base::ClusterId(c.Text("cluster", "alpha")), base::Term(term_),
                               base::seconds(5), c.Text("warning", "")};
    }
    if (verb == "reject") return protocol::Rejected{c.rest, true};
    if (verb == "reject-for-now") return protocol::Rejected{c.rest, false};
    if (verb == "start") {
      protocol::StartRank start;
      start.key = c.Key();
      start.incarnation = c.Inc();
      if (c.named.contains("gpu")) start.gpu_uuids.push_back(c.Text("gpu"));
      return start;
    }
    if (verb == "stop") {
      return protocol::StopRank{c.Key(), base::milliseconds(c.Number("grace", 1000)), "cancelled",
                                c.named.contains("or")};
    }
    if (verb == "ack") return protocol::AcknowledgeExit{c.Key(), c.Inc()};
    if (verb == "forget") return protocol::ForgetJob{*base::ParseJobId(c.words[1])};
    if (verb == "to-trainer") return protocol::ToTrainer{c.Key(), c.Inc(), protocol::SaveNow{}};
    if (verb == "metrics-ack") {
      return protocol::AcknowledgeMetrics{*base::ParseJobId(c.words[1]), std::stoull(c.words[2])};
    }
    if (verb == "task") {
      protocol::StartTask task;
      task.task = base::TaskId(std::stoull(c.words[1]));
      bool verify = c.Text("kind") == "verify";
      task.kind = verify ? protocol::TaskKind::kVerify : protocol::TaskKind::kCheck;
      return task;
    }
    throw std::invalid_argument("unknown command: " + verb);
  }

  std::optional<Worker> worker_;
  std::vector<FoundRank> found_;
  base::Time now_{1'000'000};
  uint64_t entropy_ = 0;
  uint64_t term_ = 1;
};

// The file as it should be.
std::string Expected(const std::string& text) {
  Scenario scenario;
  std::istringstream in(text);
  std::string out, line;
  while (std::getline(in, line)) {
    if (line.empty() || line[0] == '#') {
      out += line + "\n";
      continue;
    }
    out += line + "\n----\n" + scenario.Run(line) + "\n";
    while (std::getline(in, line) && !line.empty()) {
    }
  }
  return out;
}

class ScenarioFile : public testing::TestWithParam<std::string> {};

TEST_P(ScenarioFile, DecidesAsWritten) {
  std::ifstream in(GetParam());
  std::stringstream text;
  text << in.rdbuf();
  std::string expected = Expected(text.str());
  if (getenv("COX_REWRITE") != nullptr) {
    std::ofstream(GetParam()) << expected;
    return;
  }
  EXPECT_EQ(text.str(), expected);
}

std::vector<std::string> Files() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(SCENARIOS)) {
    bool script = entry.path().extension() == ".txt" && entry.path().stem() != "CMakeLists";
    if (script) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

INSTANTIATE_TEST_SUITE_P(Worker, ScenarioFile, testing::ValuesIn(Files()), [](const auto& info) {
  std::string name = std::filesystem::path(info.param).stem();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace coxswain::worker::core
